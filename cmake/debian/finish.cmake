# After cpack: a library's package needs no scripts. cpack writes two that call ldconfig; the trigger does that.
foreach(package IN LISTS CPACK_PACKAGE_FILES)
    if(package MATCHES "/libmailcore(-c)?[0-9][^/]*\\.deb$")
        set(folder ${package}.d)
        file(REMOVE_RECURSE ${folder})
        execute_process(COMMAND dpkg-deb --raw-extract ${package} ${folder} COMMAND_ERROR_IS_FATAL ANY)
        file(REMOVE ${folder}/DEBIAN/postinst ${folder}/DEBIAN/postrm)
        execute_process(COMMAND dpkg-deb --root-owner-group -Zxz --build ${folder} ${package}
            OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
        file(REMOVE_RECURSE ${folder})
    endif()
endforeach()
