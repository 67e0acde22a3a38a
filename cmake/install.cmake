# The library as others link it: libmailcore.a and libmailcore.so out of the modules' objects, the public headers, and
# what find_package(mailcore) and pkg-config read. Nothing of it knows where it will be installed.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY MAILCORE_MODULES)
get_property(requires GLOBAL PROPERTY MAILCORE_PKGCONFIG)
get_property(libraries GLOBAL PROPERTY MAILCORE_LIBRARIES)
list(REMOVE_DUPLICATES requires)
list(REMOVE_DUPLICATES libraries)
list(TRANSFORM modules REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)

function(mailcore_library target name)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME mailcore EXPORT_NAME ${name} LINKER_LANGUAGE CXX)
    target_compile_features(${target} INTERFACE cxx_std_23)
    target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

# One archive of all, the objects of our own mbedTLS in it: no second archive to forget, and its symbols are hidden from
# shared libraries that others make of it.
if(TARGET mailcore_mbedtls)
    get_target_property(archive mailcore_mbedtls IMPORTED_LOCATION)
    set(folder ${PROJECT_BINARY_DIR}/mbedtls_objects)
    file(REMOVE_RECURSE ${folder})
    file(MAKE_DIRECTORY ${folder})
    execute_process(COMMAND ${CMAKE_AR} x ${archive} WORKING_DIRECTORY ${folder} COMMAND_ERROR_IS_FATAL ANY)
    file(GLOB mbedtls_objects ${folder}/*.o)
endif()
add_library(mailcore_static STATIC ${objects} ${mbedtls_objects})
mailcore_library(mailcore_static static)
target_link_libraries(mailcore_static INTERFACE $<INSTALL_INTERFACE:mailcore::dependencies>)
install(TARGETS mailcore_static EXPORT mailcore-static
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)

install(CODE "if(CMAKE_INSTALL_DO_STRIP)
    execute_process(COMMAND ${CMAKE_STRIP} --strip-debug --enable-deterministic-archives
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libmailcore.a\" COMMAND_ERROR_IS_FATAL ANY)
endif()" COMPONENT development)

# The C++ interface is not promised before 1.0: programs ask for the minor version they were built with.
if(MAILCORE_SHARED)
    set(soname ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    add_library(mailcore_shared SHARED ${objects})
    mailcore_library(mailcore_shared shared)
    get_property(foreign GLOBAL PROPERTY MAILCORE_FOREIGN_TARGETS)
    target_link_libraries(mailcore_shared PRIVATE ${foreign} Threads::Threads)
    target_link_options(mailcore_shared PRIVATE -Wl,--no-undefined -Wl,--exclude-libs,ALL)
    set_target_properties(mailcore_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${soname})
    install(TARGETS mailcore_shared EXPORT mailcore-shared
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
endif()

# Public headers, and those few of detail/ whose types public classes hold as members.
file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/libmailcore/*.h)
list(FILTER headers EXCLUDE REGEX "/detail/")
set(unread ${headers})
while(unread)
    list(POP_FRONT unread header)
    file(STRINGS ${PROJECT_SOURCE_DIR}/${header} needed REGEX "^#include \"libmailcore/.*/detail/")
    foreach(line IN LISTS needed)
        string(REGEX REPLACE "^#include \"(.*)\".*" "\\1" needs "${line}")
        if(NOT needs IN_LIST headers)
            list(APPEND headers ${needs})
            list(APPEND unread ${needs})
        endif()
    endforeach()
endwhile()
foreach(header IN LISTS headers)
    get_filename_component(folder ${header} DIRECTORY)
    install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${folder} COMPONENT development)
endforeach()

# find_package(mailcore)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mailcore)
list(JOIN requires " " MAILCORE_REQUIRES)
list(JOIN libraries " " MAILCORE_LIBRARIES)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/mailcoreConfig.cmake.in
    ${PROJECT_BINARY_DIR}/mailcoreConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mailcoreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mailcoreConfig.cmake ${PROJECT_BINARY_DIR}/mailcoreConfigVersion.cmake
    DESTINATION ${package_folder} COMPONENT development)
install(EXPORT mailcore-static NAMESPACE mailcore:: DESTINATION ${package_folder} COMPONENT development)
if(MAILCORE_SHARED)
    install(EXPORT mailcore-shared NAMESPACE mailcore:: DESTINATION ${package_folder} COMPONENT development)
endif()

# pkg-config --libs mailcore; with --static for programs without shared libraries.
file(RELATIVE_PATH MAILCORE_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
set(MAILCORE_PRIVATE "")
if(MAILCORE_SHARED)
    set(MAILCORE_PRIVATE .private)
endif()
list(TRANSFORM libraries PREPEND "-l")
list(JOIN libraries " " MAILCORE_LINK)
configure_file(${CMAKE_CURRENT_LIST_DIR}/mailcore.pc.in ${PROJECT_BINARY_DIR}/mailcore.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mailcore.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# The C interface, where it is built.
if(TARGET mailcore_c)
    install(TARGETS mailcore_c EXPORT mailcore-c
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT c_runtime NAMELINK_COMPONENT development)
    install(FILES ${PROJECT_SOURCE_DIR}/bindings/c/mailcore.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT development)
    set_target_properties(mailcore_c PROPERTIES EXPORT_NAME c)
    target_include_directories(mailcore_c INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    install(EXPORT mailcore-c NAMESPACE mailcore:: DESTINATION ${package_folder} COMPONENT development)
    configure_file(${CMAKE_CURRENT_LIST_DIR}/mailcore-c.pc.in ${PROJECT_BINARY_DIR}/mailcore-c.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/mailcore-c.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)
endif()
