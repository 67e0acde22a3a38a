# Parts that a build may leave out (-DMAILCORE_IMAP=OFF); which files they are is said here and nowhere else.
#
# MODULES: whole folders of libmailcore. SOURCES: files of other modules. FOREIGN: headers of layers.txt that nothing
# else needs. TESTS: what of tests/ and examples/ goes with it. SOURCES and TESTS are regular expressions on paths. A file
# without_<part>.cpp takes the place of what is left out: it says so to whoever asks for it.
macro(mailcore_part name what)
    cmake_parse_arguments(part "" "" "MODULES;SOURCES;FOREIGN;TESTS" ${ARGN})
    option(MAILCORE_${name} "Build ${what}" ON)
    string(TOLOWER ${name} part_file)
    if(MAILCORE_${name})
        list(APPEND MAILCORE_LEFT_OUT_SOURCES "/without_${part_file}\\.cpp$")
    else()
        list(APPEND MAILCORE_LEFT_OUT_MODULES ${part_MODULES})
        list(APPEND MAILCORE_LEFT_OUT_SOURCES ${part_SOURCES})
        list(APPEND MAILCORE_LEFT_OUT_FOREIGN ${part_FOREIGN})
        list(APPEND MAILCORE_LEFT_OUT_TESTS ${part_TESTS})
    endif()
endmacro()

# What is tested as a whole (sessions, server, interop, bench) is left out with any part.
set(whole "/tests/(session|server|interop|bench)(/|$)")

mailcore_part(IMAP "the IMAP service"
    MODULES imap
    SOURCES "/session/imap" "/session/mailbox_view\\.cpp$" "/server/imap_service\\.cpp$"
    TESTS "/tests/imap(/|$)" "/fuzz_imap" "/examples/whole_server" ${whole})
mailcore_part(POP3 "the POP3 service"
    MODULES pop3
    SOURCES "/session/pop3\\.cpp$" "/server/pop3_service\\.cpp$"
    TESTS "/tests/pop3(/|$)" "/fuzz_pop3" ${whole})
mailcore_part(LUA "rules in Lua"
    SOURCES "/filter/lua_rules\\.cpp$" "/filter/detail/"
    FOREIGN lua.h lauxlib.h lualib.h
    TESTS "/tests/filter(/|$)" "/fuzz_(rules|zip)" "/tests/admin(/|$)" ${whole})

# Takes what is left out from a list of paths.
function(mailcore_leave_out paths)
    set(kept ${${paths}})
    foreach(pattern IN LISTS ARGN)
        list(FILTER kept EXCLUDE REGEX "${pattern}")
    endforeach()
    set(${paths} ${kept} PARENT_SCOPE)
endfunction()
