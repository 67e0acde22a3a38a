# Programs without any shared library, linked from the objects of the ordinary build: what a small device would carry
# at most. `cmake/small` builds the same for size. The test holds them to their ceilings and prints what they are.
get_property(archives GLOBAL PROPERTY MAILCORE_ARCHIVES)
get_property(missing GLOBAL PROPERTY MAILCORE_NO_ARCHIVE)
if(missing)
    message(STATUS "no static programs: there is no archive of ${missing}")
    return()
endif()

function(mailcore_static_program name of)
    add_executable(${name} $<TARGET_OBJECTS:${of}>)
    set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/static
        OUTPUT_NAME ${of})
    target_link_libraries(${name} PRIVATE mailcore_static ${archives} m)
    target_link_options(${name} PRIVATE -static -s -fuse-ld=bfd -Wl,--gc-sections -Wl,--no-warnings)
endfunction()

mailcore_static_program(static_mdserver mdserver)
mailcore_static_program(static_smtp_server example_smtp_server)
