# Compiler settings that every target shares.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(MAILCORE_SMALL)
    # Everything static, at addresses that change with each start like those of other programs.
    add_compile_options(-fPIE -ffunction-sections -fdata-sections)
    add_link_options(-static-pie -Wl,--gc-sections)
    set(MAILCORE_SHARED OFF)
else()
    # -fPIC everywhere (not -fPIE for programs), so that one precompiled header serves all.
    add_compile_options(-fPIC)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# -O2 with assertions of our own on; NDEBUG only silences libraries' asserts.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
if(MAILCORE_SMALL)
    set(CMAKE_CXX_FLAGS_RELEASE "-Os -DNDEBUG")
endif()

find_program(MAILCORE_CCACHE ccache)
if(MAILCORE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER
        ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
        CCACHE_NOHASHDIR=1 ${MAILCORE_CCACHE})
endif()
find_program(MAILCORE_MOLD mold)
# Small programs: ld leaves less in them. For other processors mold has no name that their compiler looks for.
if(MAILCORE_MOLD AND NOT MAILCORE_SMALL AND NOT CMAKE_CROSSCOMPILING)
    add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow=compatible-local $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> -Werror=unused-result
    -Werror=return-type -fstack-protector-strong)
add_compile_definitions(_FILE_OFFSET_BITS=64)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 warns wrongly about strings, optionals and expecteds that are moved.
    add_compile_options(-Wno-restrict -Wno-missing-field-initializers -Wno-array-bounds -Wno-maybe-uninitialized
        -Wno-free-nonheap-object -Wno-stringop-overflow -Wno-stringop-overread)
    if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 11)
        message(FATAL_ERROR "g++ 12 or newer is needed")
    endif()
endif()
if(MAILCORE_PCH)
    add_compile_options(-fpch-preprocess)
endif()
if(MAILCORE_WERROR)
    add_compile_options(-Werror)
endif()
if(MAILCORE_SANITIZE)
    add_compile_options(-fsanitize=${MAILCORE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${MAILCORE_SANITIZE})
endif()
find_package(Threads REQUIRED)
