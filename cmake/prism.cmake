# What the CMakeLists.txt of a folder under src/ calls.

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(PRISM_LTO AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT PRISM_SANITIZE)
  set(prism_lto ON)
else()
  set(prism_lto OFF)
endif()

# Folders can be written in any order: what is not there yet is a warning, and what does not need it still
# compiles. In CI it is an error.
set(prism_gap_level WARNING)
if(DEFINED ENV{CI})
  set(prism_gap_level SEND_ERROR)
endif()

# Settings of every target made here.
function(prism_own_code target)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} PRIVATE prism_warnings)
  set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION ${prism_lto})
endfunction()

# prism_library(px_NAME [DEPS target...]) - a static library of all the .c files of this folder. Its DEPS are
# public: who uses a library may include what it includes.
function(prism_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "prism_library(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/main.c)
  if(sources)
    add_library(${name} STATIC ${sources})
    prism_own_code(${name})
    target_link_libraries(${name} PUBLIC ${arg_DEPS})
  else() # headers only, for now
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${arg_DEPS})
  endif()
  prism_note(${name} ${arg_DEPS})
endfunction()

# prism_function(NAME [DEPS target...] [FILES file...]) - the Lambda function NAME from this folder, as fn/NAME/bootstrap, with the
# files that it needs beside it. It links the C library dynamically and all else statically (docs/design/package.md says why).
function(prism_function name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPS;FILES")
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  if(NOT sources)
    message(${prism_gap_level} "function ${name} has no source yet")
    return()
  endif()
  add_executable(fn_${name} ${sources})
  prism_own_code(fn_${name})
  target_link_libraries(fn_${name} PRIVATE ${arg_DEPS})
  set_target_properties(fn_${name} PROPERTIES OUTPUT_NAME bootstrap
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fn/${name})
  install(TARGETS fn_${name} RUNTIME DESTINATION libexec/prism/fn/${name})
  foreach(file IN LISTS arg_FILES)
    cmake_path(GET file FILENAME file_name)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/fn/${name})
    file(CREATE_LINK ${file} ${CMAKE_BINARY_DIR}/fn/${name}/${file_name} SYMBOLIC)
    install(FILES ${file} DESTINATION libexec/prism/fn/${name})
  endforeach()
  prism_note(fn_${name} ${arg_DEPS})
  prism_packable(${name} ${arg_FILES})
endfunction()

# prism_program(NAME [DEPS target...]) - the command NAME from main.c of this folder; the other .c files become
# the library px_<folder>, which tests can link.
function(prism_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPS")
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
  prism_library(px_${folder} DEPS ${arg_DEPS})
  file(GLOB main CONFIGURE_DEPENDS main.c)
  if(NOT main)
    message(${prism_gap_level} "program ${name} has no main.c yet")
    return()
  endif()
  add_executable(${name} ${main})
  prism_own_code(${name})
  target_link_libraries(${name} PRIVATE px_${folder})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# A px_ library that does not exist becomes a -lpx_... for the linker to trip over; prism_check_layers says it.
function(prism_note target)
  set_property(GLOBAL APPEND PROPERTY PRISM_TARGETS ${target})
  set_property(GLOBAL PROPERTY PRISM_DEPS_${target} ${ARGN})
endfunction()

function(prism_check_layers)
  get_property(targets GLOBAL PROPERTY PRISM_TARGETS)
  set(gaps)
  foreach(target IN LISTS targets)
    get_property(deps GLOBAL PROPERTY PRISM_DEPS_${target})
    foreach(dep IN LISTS deps)
      if(NOT TARGET ${dep})
        list(APPEND gaps "${target} -> ${dep}")
      endif()
    endforeach()
  endforeach()
  if(gaps)
    list(JOIN gaps "\n  " gaps)
    message(${prism_gap_level} "no folder under src/ makes these libraries yet:\n  ${gaps}")
  endif()
endfunction()
