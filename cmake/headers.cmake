# Target `headers`: every header under src/ compiled alone, so that none leans on what its includer had before it.

file(GLOB_RECURSE prism_headers RELATIVE ${CMAKE_SOURCE_DIR}/src CONFIGURE_DEPENDS src/*.h)
set(header_checks)
foreach(header IN LISTS prism_headers)
  string(MAKE_C_IDENTIFIER ${header} id)
  set(check ${CMAKE_BINARY_DIR}/headers/${id}.c)
  file(CONFIGURE OUTPUT ${check} CONTENT "#include \"${header}\" // IWYU pragma: keep\ntypedef int header_check_${id};\n")
  list(APPEND header_checks ${check})
endforeach()
if(header_checks)
  add_library(headers OBJECT EXCLUDE_FROM_ALL ${header_checks})
  prism_own_code(headers)
  set_target_properties(headers PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
  target_link_libraries(headers PRIVATE AWS::aws-c-common AWS::aws-c-cal AWS::aws-checksums prism::duckdb
    prism::sqlite3 prism::uv prism::zstd prism::z prism::xxhash prism::protobuf_c prism::yyjson prism::llhttp
    prism::nghttp2 prism::otlp prism::nanoarrow prism::libpq prism::quickjs)
else()
  add_custom_target(headers)
endif()
