# What tools/setup brought, as imported targets:
#   AWS::aws-c-common AWS::aws-c-cal AWS::aws-checksums (and the rest of the AWS Common Runtime)
#   prism::duckdb sqlite3 uv zstd z deflate xxhash protobuf_c     libraries that come built
#   AWS::ssl                                              OpenSSL's interface, for libpq and the gateway
#   prism::archive pcre2                                  for the program alone, not for functions
#   prism::yyjson llhttp nghttp2 otlp nanoarrow libpq quickjs jsonnet   sources, compiled here so that sanitizers see into them
#   prism::rapidjson                                     headers, for the program alone
#   PRISM_JSONATA_JS, PRISM_VELOCITY_JS                   files of the npm modules jsonata and velocityjs
#   PRISM_RDS_CERTIFICATES                                file with what RDS's own certificates are signed by
#   prism::cmocka                                         for tests
# Archives are preferred to shared libraries; headers are SYSTEM ones.

if(DEFINED ENV{PRISM_CACHE})
  set(PRISM_CACHE $ENV{PRISM_CACHE})
else()
  set(PRISM_CACHE $ENV{HOME}/.cache/prism)
endif()

add_compile_options(-ffile-prefix-map=${PRISM_CACHE}/=) # so that it stands in no assertion's text

# Parts that are made once per architecture; the others are sources.
set(prism_built_parts aws-crt duckdb duckdb-httpfs sysroot)
list(JOIN prism_built_parts "|" prism_built_parts)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(prism_debian_arch amd64)
else()
  set(prism_debian_arch arm64)
endif()

# prism_part(NAME) sets <NAME>_DIR to the folder of a part, by its version in tools/pins.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/pins)
function(prism_part name)
  file(STRINGS ${CMAKE_SOURCE_DIR}/tools/pins lines REGEX "^${name} ")
  list(GET lines 0 line)
  string(REGEX REPLACE "^${name} +([^ ]+) .*" "\\1" version "${line}")
  set(dir ${PRISM_CACHE}/${name}-${version})
  set(group "")
  if(CMAKE_CROSSCOMPILING AND name MATCHES "^(${prism_built_parts})$")
    set(dir ${PRISM_CACHE}/${name}-${prism_debian_arch}-${version})
    set(group " package")
  endif()
  if(NOT EXISTS ${dir}/.pin)
    message(FATAL_ERROR "${dir} does not exist: run tools/setup${group}")
  endif()
  set(${name}_DIR ${dir} PARENT_SCOPE)
endfunction()

# prism_system_library(NAME HEADER LIBRARY...) - the first LIBRARY found, archive before shared library.
function(prism_system_library name header)
  set(names)
  foreach(library IN LISTS ARGN)
    list(APPEND names lib${library}.a)
  endforeach()
  find_library(PRISM_LIB_${name} NAMES ${names} ${ARGN})
  find_path(PRISM_INCLUDE_${name} NAMES ${header})
  if(NOT PRISM_LIB_${name} OR NOT PRISM_INCLUDE_${name})
    message(FATAL_ERROR "${name} (${header}) is missing: run tools/setup")
  endif()
  add_library(prism::${name} UNKNOWN IMPORTED)
  set_target_properties(prism::${name} PROPERTIES IMPORTED_LOCATION ${PRISM_LIB_${name}}
    INTERFACE_INCLUDE_DIRECTORIES ${PRISM_INCLUDE_${name}})
endfunction()

# prism_source_library(NAME DIR SOURCE...) - third-party sources of a part, as prism::NAME.
function(prism_source_library name dir)
  add_library(prism_${name} STATIC ${ARGN})
  add_library(prism::${name} ALIAS prism_${name})
  target_include_directories(prism_${name} SYSTEM PUBLIC ${dir}/include)
  target_compile_options(prism_${name} PRIVATE -w)
  if(PRISM_SANITIZE MATCHES "undefined")
    target_compile_options(prism_${name} PRIVATE -fno-sanitize=undefined)
  endif()
endfunction()

find_package(Threads REQUIRED)

prism_part(aws-crt)
if(CMAKE_CROSSCOMPILING) # libraries and headers come from there and from nowhere else
  prism_part(sysroot)
  set(CMAKE_FIND_ROOT_PATH ${sysroot_DIR} ${aws-crt_DIR})
  set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
endif()
list(APPEND CMAKE_PREFIX_PATH ${aws-crt_DIR})
foreach(package aws-c-common aws-c-cal aws-checksums aws-c-io aws-c-http aws-c-auth aws-c-s3)
  find_package(${package} CONFIG REQUIRED PATHS ${aws-crt_DIR} NO_DEFAULT_PATH)
endforeach()

find_package(ssl CONFIG REQUIRED PATHS ${aws-crt_DIR} NO_DEFAULT_PATH)

prism_system_library(sqlite3 sqlite3.h sqlite3)
target_link_libraries(prism::sqlite3 INTERFACE m Threads::Threads ${CMAKE_DL_LIBS})
prism_system_library(uv uv.h uv_a uv)
target_link_libraries(prism::uv INTERFACE Threads::Threads ${CMAKE_DL_LIBS} rt)
if(PRISM_SANITIZE STREQUAL "thread")
  add_library(prism_tsan_uv OBJECT ${CMAKE_SOURCE_DIR}/tests/tsan/uv_close.c)
  target_link_libraries(prism::uv INTERFACE $<TARGET_OBJECTS:prism_tsan_uv>)
  target_link_options(prism::uv INTERFACE -Wl,--wrap=syscall)
endif()
prism_system_library(zstd zstd.h zstd)
prism_system_library(z zlib.h z)
prism_system_library(deflate libdeflate.h deflate)
prism_system_library(xxhash xxhash.h xxhash)
prism_system_library(protobuf_c protobuf-c/protobuf-c.h protobuf-c)
if(NOT PRISM_FUNCTIONS_ONLY)
  prism_system_library(pcre2 pcre2.h pcre2-8)
  prism_system_library(nettle nettle/hmac.h nettle)
  prism_system_library(bz2 bzlib.h bz2)
  prism_system_library(lzma lzma.h lzma)
  prism_system_library(archive archive.h archive) # its reader of ZIP wants the three last
  target_link_libraries(prism::archive INTERFACE prism::nettle prism::z prism::bz2 prism::lzma)
  target_link_options(prism::archive INTERFACE -Wl,--gc-sections) # other formats want libraries of their own
endif()

# Its archives refer to one another in circles. The C++ library is the shared one: DuckDB's extension, which is loaded
# from a file, brings the same, and an exception must be thrown and caught by one unwinder.
prism_part(duckdb)
file(GLOB duckdb_archives ${duckdb_DIR}/lib/*.a)
add_library(prism_duckdb INTERFACE)
add_library(prism::duckdb ALIAS prism_duckdb)
target_include_directories(prism_duckdb SYSTEM INTERFACE ${duckdb_DIR}/include)
list(JOIN duckdb_archives "," duckdb_group)
target_link_libraries(prism_duckdb INTERFACE "$<LINK_GROUP:RESCAN,${duckdb_group}>" stdc++ m
  Threads::Threads ${CMAKE_DL_LIBS})

prism_part(duckdb-httpfs)
set(PRISM_DUCKDB_HTTPFS ${duckdb-httpfs_DIR}/httpfs.duckdb_extension)
prism_part(rds-certificates)
set(PRISM_RDS_CERTIFICATES ${rds-certificates_DIR}/rds.pem)

prism_part(yyjson)
prism_source_library(yyjson ${yyjson_DIR} ${yyjson_DIR}/src/yyjson.c)
if(NOT PRISM_SANITIZE) # it is half of the ingest path
  target_compile_options(prism_yyjson PRIVATE -O3)
endif()

prism_part(llhttp)
file(GLOB sources ${llhttp_DIR}/src/*.c)
prism_source_library(llhttp ${llhttp_DIR} ${sources})

# Of the gateway alone; functions link no line of it.
prism_part(nghttp2)
file(GLOB sources ${nghttp2_DIR}/src/*.c)
prism_source_library(nghttp2 ${nghttp2_DIR} ${sources})
target_compile_definitions(prism_nghttp2 PUBLIC NGHTTP2_STATICLIB PRIVATE HAVE_TIME_H HAVE_ARPA_INET_H HAVE_NETINET_IN_H HAVE_CLOCK_GETTIME HAVE_DECL_CLOCK_MONOTONIC=1)

prism_part(otlp)
file(GLOB_RECURSE sources ${otlp_DIR}/src/*.c)
prism_source_library(otlp ${otlp_DIR} ${sources})
target_link_libraries(prism_otlp PUBLIC prism::protobuf_c)

# Without GSSAPI, LDAP and OAuth's client; TLS by AWS-LC. Little of it is on a hot path, so it is built for size.
prism_part(libpq)
file(GLOB sources ${libpq_DIR}/src/*/*.c)
prism_source_library(libpq ${libpq_DIR} ${sources})
target_include_directories(prism_libpq PRIVATE ${libpq_DIR}/private ${libpq_DIR}/src/port ${libpq_DIR}/src/common ${libpq_DIR}/src/libpq)
target_compile_definitions(prism_libpq PRIVATE FRONTEND USE_OPENSSL=1 HAVE_STRCHRNUL HAVE_STRSIGNAL HAVE_POLL=1 HAVE_POLL_H=1)
target_compile_options(prism_libpq PRIVATE -Os -fno-asynchronous-unwind-tables)
target_link_libraries(prism_libpq PRIVATE AWS::ssl)

prism_part(nanoarrow)
file(GLOB sources ${nanoarrow_DIR}/src/*.c)
prism_source_library(nanoarrow ${nanoarrow_DIR} ${sources})
target_include_directories(prism_nanoarrow PRIVATE ${nanoarrow_DIR}/include/nanoarrow)
target_compile_definitions(prism_nanoarrow PRIVATE NANOARROW_IPC_WITH_ZSTD)
target_link_libraries(prism_nanoarrow PRIVATE prism::zstd)

# Expressions of the States Language; functions do not evaluate any. Its assertions would end the process where an engine that met
# its ceiling is thrown away.
if(NOT PRISM_FUNCTIONS_ONLY)
  prism_part(quickjs)
  file(GLOB sources ${quickjs_DIR}/src/*.c)
  prism_source_library(quickjs ${quickjs_DIR} ${sources})
  target_include_directories(prism_quickjs PRIVATE ${quickjs_DIR}/src)
  # libpq has a unicode_normalize of its own
  target_compile_definitions(prism_quickjs PRIVATE NDEBUG unicode_normalize=quickjs_unicode_normalize)
  target_link_libraries(prism_quickjs PUBLIC m Threads::Threads)
  if(NOT PRISM_SANITIZE)
    target_compile_options(prism_quickjs PRIVATE -O3 -fno-semantic-interposition)
  endif()
  # Templates of settings (px_config). Its evaluator, vm.cpp, is compiled as a part of src/config/jsonnet.cpp.
  prism_part(jsonnet)
  file(GLOB sources ${jsonnet_DIR}/src/*.cpp)
  prism_source_library(jsonnet ${jsonnet_DIR} ${sources})
  # Models of the contract (px_region); headers alone.
  prism_part(rapidjson)
  add_library(prism_rapidjson INTERFACE)
  add_library(prism::rapidjson ALIAS prism_rapidjson)
  target_include_directories(prism_rapidjson SYSTEM INTERFACE ${rapidjson_DIR}/include)
  prism_part(jsonata)
  set(PRISM_JSONATA_JS ${jsonata_DIR}/jsonata.js)
  prism_part(velocityjs)
  set(PRISM_VELOCITY_JS ${velocityjs_DIR}/velocityjs.js)
endif()

if(PRISM_TESTS AND NOT PRISM_FUZZ)
  prism_system_library(cmocka cmocka.h cmocka)
endif()
