# SPDX-License-Identifier: Apache-2.0
# The manual pages, printed by the programs themselves (--help=man) when they are built and installed with them. One page a program
# and one a command. When cross-compiling the programs cannot be run here, so there are none.
if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  message(STATUS "cross-compiling: no manual pages")
  return()
endif()
file(STRINGS ${PROJECT_SOURCE_DIR}/cli/commands.c PRF_COMMAND_LINES REGEX "^    {\"[a-z-]+\", \"")
set(MAN_DIR ${CMAKE_BINARY_DIR}/man)
set(MAN_PAGES "")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/commands.c ${PROJECT_SOURCE_DIR}/cli/fleet.c)

function(prf_man_page page program)
  add_custom_command(OUTPUT ${MAN_DIR}/${page}.1
                     COMMAND ${CMAKE_COMMAND} -E make_directory ${MAN_DIR}
                     COMMAND ${program} ${ARGN} --help=man > ${MAN_DIR}/${page}.1
                     DEPENDS ${program} VERBATIM)
  set(MAN_PAGES ${MAN_PAGES} ${MAN_DIR}/${page}.1 PARENT_SCOPE)
endfunction()

foreach(program prfarm prfarm-coordinator prfarm-worker prfarm-relay)
  if(TARGET ${program})
    prf_man_page(${program} ${program})
  endif()
endforeach()
foreach(line ${PRF_COMMAND_LINES})
  string(REGEX REPLACE "^    {\"([a-z-]+)\".*" "\\1" command "${line}")
  prf_man_page(prfarm-${command} prfarm ${command})
endforeach()
file(STRINGS ${PROJECT_SOURCE_DIR}/cli/fleet.c PRF_FLEET_LINES REGEX "^    {\"[a-z-]+\", \"")
foreach(line ${PRF_FLEET_LINES})
  string(REGEX REPLACE "^    {\"([a-z-]+)\".*" "\\1" command "${line}")
  prf_man_page(prfarm-fleet-${command} prfarm fleet ${command})
endforeach()
add_custom_target(man ALL DEPENDS ${MAN_PAGES})
install(FILES ${MAN_PAGES} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
