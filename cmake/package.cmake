# What `prism package` packs: a release build leaves it in <build>/package, as `make install` does in libexec/prism.
#
#   package.json            architecture and version
#   fn/<name>/bootstrap     the executable, stripped
#   fn/<name>/parts.json    what it is linked of
#   runtime/, runtime.json  root file system below the functions that are images: C library, certificates; and of what
#
# FILES of a function (prism_function()) stand beside bootstrap, here and in the image.

set(prism_package_dir ${CMAKE_BINARY_DIR}/package)
set(prism_packs OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT PRISM_SANITIZE)
  set(prism_packs ON)
endif()
find_program(PRISM_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH REQUIRED)

set(prism_lambda_arch x86_64)
if(NOT CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(prism_lambda_arch arm64)
endif()
set(prism_inputs ${PRISM_PYTHON3} ${CMAKE_SOURCE_DIR}/tools/lib/package_inputs.py)
set(prism_inputs_options --architecture ${prism_lambda_arch} --cache ${PRISM_CACHE})
if(CMAKE_CROSSCOMPILING)
  list(APPEND prism_inputs_options --sysroot ${sysroot_DIR})
endif()

# prism_packable(NAME [FILE...]) - leave the function NAME in the folder above. No build id: it is made from debugging information too,
# in which the build folder's name stands.
function(prism_packable name)
  if(NOT prism_packs)
    return()
  endif()
  set(out ${prism_package_dir}/fn/${name})
  set(map ${CMAKE_BINARY_DIR}/fn/${name}.map)
  target_link_options(fn_${name} PRIVATE -Wl,--build-id=none -Wl,-Map=${map})
  add_custom_command(TARGET fn_${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
    COMMAND ${CMAKE_STRIP} --strip-all -o ${out}/bootstrap $<TARGET_FILE:fn_${name}>
    COMMAND ${prism_inputs} parts ${out}/parts.json ${prism_inputs_options} --map ${map} --build ${CMAKE_BINARY_DIR} --beside ${ARGN}
    VERBATIM)
  set_property(GLOBAL APPEND PROPERTY PRISM_PACKED ${name})
  install(FILES ${out}/parts.json DESTINATION libexec/prism/fn/${name})
endfunction()

# Called once all functions are known.
function(prism_package_inputs)
  get_property(names GLOBAL PROPERTY PRISM_PACKED)
  if(NOT names)
    return()
  endif()
  list(TRANSFORM names PREPEND fn_ OUTPUT_VARIABLE targets)
  file(CONFIGURE OUTPUT ${prism_package_dir}/package.json CONTENT
    "{ \"version\": 1, \"architecture\": \"@prism_lambda_arch@\", \"prism\": \"@PROJECT_VERSION@\" }\n" @ONLY)
  add_custom_command(OUTPUT ${prism_package_dir}/runtime.json
    COMMAND ${prism_inputs} runtime ${prism_package_dir} ${prism_inputs_options} --platform ${CMAKE_SOURCE_DIR}/platform
    DEPENDS ${targets} ${CMAKE_SOURCE_DIR}/platform/functions.json ${CMAKE_SOURCE_DIR}/tools/lib/package_inputs.py
      ${CMAKE_SOURCE_DIR}/tools/licences ${CMAKE_SOURCE_DIR}/tools/pins
    VERBATIM)
  add_custom_target(package_inputs ALL DEPENDS ${prism_package_dir}/runtime.json)
  install(FILES ${prism_package_dir}/package.json ${prism_package_dir}/runtime.json DESTINATION libexec/prism)
  install(DIRECTORY ${prism_package_dir}/runtime DESTINATION libexec/prism USE_SOURCE_PERMISSIONS)
endfunction()
