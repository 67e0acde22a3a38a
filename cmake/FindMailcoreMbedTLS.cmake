# mbedTLS as cmake/build-mbedtls leaves it in the cache: target mailcore_mbedtls.
#
# The cache is the environment's MAILCORE_DEPS_CACHE, else build/deps of this checkout. Builds it when it is missing.
execute_process(COMMAND "${CMAKE_CURRENT_LIST_DIR}/build-mbedtls" --print-prefix
    OUTPUT_VARIABLE _mailcore_mbedtls OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(GLOB _mailcore_inputs "${CMAKE_CURRENT_LIST_DIR}/mbedtls_*" "${CMAKE_CURRENT_LIST_DIR}/build-mbedtls")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${_mailcore_inputs})

if(EXISTS "${_mailcore_mbedtls}/stamp")
    file(READ "${_mailcore_mbedtls}/stamp" _mailcore_stamp)
    string(REGEX MATCH "3\\.6\\.[0-9]+" MailcoreMbedTLS_VERSION "${_mailcore_stamp}")
endif()
if(MAILCORE_SMALL)
    find_library(MAILCORE_SODIUM_LIBRARY libsodium.a)
else()
    find_library(MAILCORE_SODIUM_LIBRARY sodium)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MailcoreMbedTLS
    REQUIRED_VARS MailcoreMbedTLS_VERSION MAILCORE_SODIUM_LIBRARY VERSION_VAR MailcoreMbedTLS_VERSION)

if(MailcoreMbedTLS_FOUND AND NOT TARGET mailcore_mbedtls)
    find_package(Threads REQUIRED)
    add_library(mailcore_mbedtls STATIC IMPORTED GLOBAL)
    set_target_properties(mailcore_mbedtls PROPERTIES
        IMPORTED_LOCATION "${_mailcore_mbedtls}/lib/libmailcore_mbedtls.a"
        INTERFACE_INCLUDE_DIRECTORIES "${_mailcore_mbedtls}/include"
        INTERFACE_LINK_LIBRARIES "${MAILCORE_SODIUM_LIBRARY};Threads::Threads")
endif()
