# Foreign libraries as targets, each found only when a module that exists asks for it.
# `mailcore_foreign(HEADER OUT)` maps an entry of layers.txt's second column to what is linked for it.
#
# The global properties MAILCORE_PKGCONFIG and MAILCORE_LIBRARIES hold what has been found, as names for pkg-config and
# for the linker: what those need who link the static library (cmake/install.cmake).
find_package(PkgConfig REQUIRED)

# pkg_search_module. For static programs: archives, and those of what the library needs in turn.
function(mailcore_pkgconfig id)
    pkg_search_module(${id} REQUIRED IMPORTED_TARGET GLOBAL ${ARGN})
    if(MAILCORE_SMALL)
        set(archives "")
        foreach(name IN LISTS ${id}_STATIC_LIBRARIES)
            # libuv's archive has a name of its own; what has none is libc's.
            find_library(MAILCORE_ARCHIVE_${name} NAMES ${name} ${name}_a HINTS ${${id}_STATIC_LIBRARY_DIRS})
            if(MAILCORE_ARCHIVE_${name})
                list(APPEND archives ${MAILCORE_ARCHIVE_${name}})
            elseif(NOT name STREQUAL fmt)
                message(FATAL_ERROR "no archive of ${name} to link statically")
            endif()
        endforeach()
        set_property(TARGET PkgConfig::${id} PROPERTY INTERFACE_LINK_LIBRARIES "${archives}")
    endif()
    set_property(GLOBAL APPEND PROPERTY MAILCORE_PKGCONFIG ${${id}_MODULE_NAME})
    set_property(GLOBAL APPEND PROPERTY MAILCORE_FOREIGN_TARGETS PkgConfig::${id})
endfunction()

mailcore_pkgconfig(fmt fmt)
if(MAILCORE_SMALL AND NOT MAILCORE_ARCHIVE_fmt)
    add_compile_definitions(FMT_HEADER_ONLY) # Debian has no archive of it
endif()

set(MAILCORE_FOREIGN_iconv.h "")
set(MAILCORE_FOREIGN_utf8proc.h libutf8proc)
set(MAILCORE_FOREIGN_idn2.h libidn2)
set(MAILCORE_FOREIGN_sodium libsodium)
set(MAILCORE_FOREIGN_nettle/ nettle)
set(MAILCORE_FOREIGN_gmp.h "-gmp")
set(MAILCORE_FOREIGN_zstd.h libzstd)
set(MAILCORE_FOREIGN_lmdb.h lmdb)
set(MAILCORE_FOREIGN_uv.h libuv)
set(MAILCORE_FOREIGN_ares.h libcares)
set(MAILCORE_FOREIGN_lua.h "lua5.4|lua-5.4|lua54|lua")
set(MAILCORE_FOREIGN_zlib.h zlib)

function(mailcore_foreign header out)
    set(${out} "" PARENT_SCOPE)
    if(header MATCHES "^(mbedtls/|psa/)$")
        find_package(MailcoreMbedTLS REQUIRED)
        set(${out} mailcore_mbedtls PARENT_SCOPE)
        set_property(GLOBAL APPEND PROPERTY MAILCORE_PKGCONFIG libsodium)
        set_property(GLOBAL APPEND PROPERTY MAILCORE_FOREIGN_TARGETS mailcore_mbedtls)
    elseif("${MAILCORE_FOREIGN_${header}}" MATCHES "^-(.*)$")
        set(${out} ${CMAKE_MATCH_1} PARENT_SCOPE)
        set_property(GLOBAL APPEND PROPERTY MAILCORE_LIBRARIES ${CMAKE_MATCH_1})
        set_property(GLOBAL APPEND PROPERTY MAILCORE_FOREIGN_TARGETS ${CMAKE_MATCH_1})
    elseif(NOT "${MAILCORE_FOREIGN_${header}}" STREQUAL "")
        string(MAKE_C_IDENTIFIER "foreign_${header}" id)
        string(REPLACE "|" ";" names "${MAILCORE_FOREIGN_${header}}")
        mailcore_pkgconfig(${id} ${names})
        set(${out} PkgConfig::${id} PARENT_SCOPE)
    endif()
endfunction()
