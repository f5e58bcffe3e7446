# Tests are found by name; what a test links with follows from where it stands.
#
#   tests/unit/<folder>/test_*.c   one program each, linked with the library of src/<folder> and tests/unit/support
#   tests/fuzz/fuzz_<name>.c       LLVMFuzzerTestOneInput(); inputs in tests/fuzz/<name>/corpus and regress
#
# A line `// link: px_columnar prism::zstd` in the file adds libraries (a fuzz target needs one).
# In ctest their names are unit/<folder>/<name> and fuzz/<name>, their labels unit and fuzz.

set(test_timeout_s 180)
if(PRISM_SANITIZE)
  set(test_timeout_s 240)
endif()
set(test_environment
  "ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1"
  "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
  "PRISM_BUILD_DIR=${CMAKE_BINARY_DIR}"
  "PRISM_DUCKDB_EXTENSIONS=${duckdb-httpfs_DIR}")

function(prism_test_links file ret_links)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(STRINGS ${file} lines REGEX "^// link: ")
  list(TRANSFORM lines REPLACE "^// link: *" "")
  string(REPLACE " " ";" links "${lines}")
  set(${ret_links} ${links} PARENT_SCOPE)
endfunction()

# A test of a library that is not there yet is left out with a warning; CI does not pass over it.
function(prism_test_program name file)
  foreach(link IN LISTS ARGN)
    if(NOT TARGET ${link})
      message(${prism_gap_level} "${file} is left out: there is no library ${link}")
      return()
    endif()
  endforeach()
  add_executable(${name} ${file})
  prism_own_code(${name})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit)
  target_compile_definitions(${name} PRIVATE PX_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARGN})
endfunction()

if(NOT PRISM_FUZZ)
  file(GLOB sources CONFIGURE_DEPENDS tests/unit/support/*.c)
  set(test_support prism::cmocka)
  if(sources AND TARGET px_base)
    add_library(px_test_support STATIC ${sources})
    prism_own_code(px_test_support)
    target_include_directories(px_test_support PUBLIC ${CMAKE_SOURCE_DIR}/tests/unit)
    target_link_libraries(px_test_support PUBLIC px_base prism::cmocka)
    set(test_support px_test_support)
  endif()

  file(GLOB_RECURSE files RELATIVE ${CMAKE_SOURCE_DIR}/tests/unit CONFIGURE_DEPENDS tests/unit/test_*.c)
  foreach(file IN LISTS files)
    cmake_path(GET file PARENT_PATH folder)
    cmake_path(GET file STEM stem)
    string(REGEX REPLACE "^test_" "" stem ${stem})
    string(REPLACE "/" "_" library "px_${folder}")
    string(REPLACE "/" "_" name "test_${folder}_${stem}")
    prism_test_links(${CMAKE_SOURCE_DIR}/tests/unit/${file} links)
    if(NOT TARGET ${library} AND links)
      set(library ${links})
    endif()
    # a library given twice is harmless; the support library comes first because it uses px_base
    prism_test_program(${name} ${CMAKE_SOURCE_DIR}/tests/unit/${file} ${test_support} ${library} ${links})
    if(TARGET ${name})
      add_test(NAME unit/${folder}/${stem} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
      set_tests_properties(unit/${folder}/${stem} PROPERTIES LABELS unit TIMEOUT ${test_timeout_s}
        ENVIRONMENT "${test_environment}")
    endif()
  endforeach()
endif()

file(GLOB files CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
foreach(file IN LISTS files)
  cmake_path(GET file STEM stem)
  string(REGEX REPLACE "^fuzz_" "" name ${stem})
  set(inputs ${CMAKE_SOURCE_DIR}/tests/fuzz/${name}/corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/${name}/regress)
  prism_test_links(${file} links)
  prism_test_program(${stem} ${file} ${links})
  if(NOT TARGET ${stem})
    continue()
  endif()
  set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS -Wno-missing-prototypes) # LLVMFuzzerTestOneInput
  if(PRISM_FUZZ)
    target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
    file(MAKE_DIRECTORY ${CMAKE_SOURCE_DIR}/tests/fuzz/${name}/corpus)
    set(command ${stem} -runs=0)
    list(FILTER inputs INCLUDE REGEX "corpus$|regress$")
    foreach(dir IN LISTS inputs)
      if(EXISTS ${dir})
        list(APPEND command ${dir})
      endif()
    endforeach()
    set_property(GLOBAL APPEND PROPERTY PRISM_FUZZERS ${name})
  else()
    target_sources(${stem} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c)
    set(command ${stem} ${inputs})
  endif()
  add_test(NAME fuzz/${name} COMMAND ${command} WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT ${test_timeout_s}
    ENVIRONMENT "${test_environment}")
endforeach()
