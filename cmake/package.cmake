# Debian packages by cpack (cmake/package calls it): libmailcore0.1, libmailcore-c0, libmailcore-dev, mdserver.
find_program(MAILCORE_DPKG dpkg)
if(NOT MAILCORE_DPKG OR NOT MAILCORE_SHARED OR NOT TARGET mdserver)
    return()
endif()
set(MAILCORE_MAINTAINER "libmailcore maintainers <maintainers@libmailcore.example>" CACHE STRING
    "Who answers for packages: name and address")

# 0.1.0-1~deb12: what is built for a later release of the distribution is an upgrade there.
file(STRINGS /etc/os-release os REGEX "^(ID|VERSION_ID)=")
string(REGEX REPLACE ".*VERSION_ID=\"?([0-9.]+).*" "\\1" os_version "${os}")
set(release "1~deb${os_version}")
if(os MATCHES "ID=ubuntu")
    set(release "1~ubuntu${os_version}")
endif()
set(version ${PROJECT_VERSION}-${release})
set(runtime libmailcore${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

# What stands in mailcore.pc must be there where that is read: the packages that own those files here.
set(needed libc6-dev libgmp-dev)
get_property(requires GLOBAL PROPERTY MAILCORE_PKGCONFIG)
list(REMOVE_DUPLICATES requires)
foreach(name IN LISTS requires)
    execute_process(COMMAND ${PKG_CONFIG_EXECUTABLE} --variable=pcfiledir ${name}
        OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE)
    execute_process(COMMAND dpkg-query -S ${folder}/${name}.pc
        OUTPUT_VARIABLE owner OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(owner MATCHES "^([a-z0-9.+-]+)")
        list(APPEND needed ${CMAKE_MATCH_1})
    endif()
endforeach()
list(REMOVE_DUPLICATES needed)
list(SORT needed)
list(JOIN needed ", " needed)

# Each package's own documents: copyright, what changed, and Debian's changelog with the date of the sources.
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} log -1 --format=%ct OUTPUT_VARIABLE time
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(DEFINED ENV{SOURCE_DATE_EPOCH})
    set(time $ENV{SOURCE_DATE_EPOCH})
elseif(NOT time)
    file(TIMESTAMP ${PROJECT_SOURCE_DIR}/libmailcore/CHANGES.md time "%s" UTC)
endif()
execute_process(COMMAND date -u -R -d @${time} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE)
set(documents ${PROJECT_BINARY_DIR}/documents)
file(WRITE ${documents}/changelog.Debian "libmailcore (${version}) unstable; urgency=medium\n\n"
    "  * Release ${PROJECT_VERSION}: see changelog.gz.\n\n -- ${MAILCORE_MAINTAINER}  ${date}\n")
configure_file(${PROJECT_SOURCE_DIR}/libmailcore/CHANGES.md ${documents}/changelog COPYONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/debian/copyright ${documents}/copyright COPYONLY)
execute_process(COMMAND gzip -9nf changelog changelog.Debian WORKING_DIRECTORY ${documents})
set(packages runtime:${runtime} development:libmailcore-dev server:mdserver)
set(libraries "${runtime} (= ${version})")
if(TARGET mailcore_c)
    # Apart: its interface outlives those of the C++ library.
    get_target_property(soversion mailcore_c SOVERSION)
    list(APPEND packages c_runtime:libmailcore-c${soversion})
    string(APPEND libraries ", libmailcore-c${soversion} (= ${version})")
endif()
set(CPACK_COMPONENTS_ALL "")
foreach(package IN LISTS packages)
    string(REPLACE ":" ";" package ${package})
    list(GET package 0 component)
    list(GET package 1 name)
    install(FILES ${documents}/changelog.gz ${documents}/changelog.Debian.gz ${documents}/copyright
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component} EXCLUDE_FROM_ALL)
    set(overrides ${CMAKE_CURRENT_LIST_DIR}/debian/library/lintian-overrides)
    if(component STREQUAL server)
        set(overrides ${CMAKE_CURRENT_LIST_DIR}/debian/server/lintian-overrides)
    endif()
    if(NOT component STREQUAL development)
        install(FILES ${overrides}
            DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME ${name} COMPONENT ${component} EXCLUDE_FROM_ALL)
    endif()
    list(APPEND CPACK_COMPONENTS_ALL ${component})
    string(TOUPPER ${component} upper)
    set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
    set(CPACK_DEBIAN_${upper}_FILE_NAME DEB-DEFAULT)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libmailcore)
set(CPACK_PACKAGE_CONTACT "${MAILCORE_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${release})
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SOURCE libmailcore)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian/finish.cmake)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/debian/library/triggers)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "embeddable mail server library
SMTP, submission, LMTP, IMAP and POP3 servers over a durable store, each part
of which also works alone in another program.")

set(CPACK_DEBIAN_C_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_C_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_C_RUNTIME_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/debian/library/triggers)
set(CPACK_DEBIAN_C_RUNTIME_DESCRIPTION "embeddable mail server library (C interface)
Servers, stores, messages and rules for programs in C and for languages that
call C: opaque handles, events as JSON.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${libraries}, ${needed}")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "embeddable mail server library (development files)
Headers, the static library, and what find_package and pkg-config read, for
programs in C++23 that serve, send, store or filter mail.")

set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION mail)
set(CPACK_DEBIAN_SERVER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS
    "init-system-helpers (>= 1.52), systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_SERVER_PACKAGE_PROVIDES "imap-server, pop3-server")
set(CPACK_DEBIAN_SERVER_DESCRIPTION "complete mail server in one process
SMTP, submission, LMTP, IMAP and POP3 over one durable store, with rules in
Lua: one process, one data folder, one settings file. mdctl rules it.")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
    ${CMAKE_CURRENT_LIST_DIR}/debian/server/postinst ${CMAKE_CURRENT_LIST_DIR}/debian/server/prerm
    ${CMAKE_CURRENT_LIST_DIR}/debian/server/postrm)
include(CPack)
