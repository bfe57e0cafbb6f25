# Compiles the ONNX schema and links protobuf, both private to this folder: users of tamis_onnx see graphs only.
#
#   TAMIS_ONNX_PROTO=FILE   a schema to use instead of the one that scripts/fetch_onnx_proto.sh fetches
set(TAMIS_ONNX_PROTO "" CACHE FILEPATH "onnx-ml.proto to use; empty: fetched (and cached) at configure time")

set(schema_folder ${CMAKE_BINARY_DIR}/generated/onnx)
set(schema ${TAMIS_ONNX_PROTO})
if(NOT schema)
  set(schema ${CMAKE_BINARY_DIR}/onnx-ml.proto)
  if(NOT EXISTS ${schema})
    execute_process(COMMAND ${CMAKE_SOURCE_DIR}/scripts/fetch_onnx_proto.sh ${schema} RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "There is no ONNX schema; scripts/fetch_onnx_proto.sh says above what helps.")
    endif()
  endif()
elseif(NOT EXISTS ${schema})
  message(FATAL_ERROR "TAMIS_ONNX_PROTO: ${schema} does not exist")
endif()

# The published schema asks for the lite runtime, whose parser is the slower one.
file(READ ${schema} schema_text)
string(REPLACE "option optimize_for = LITE_RUNTIME;" "" schema_text "${schema_text}")
tamis_write_if_changed(${schema_folder}/onnx-ml.proto "${schema_text}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${schema})

add_custom_command(
  OUTPUT ${schema_folder}/onnx-ml.pb.cc ${schema_folder}/onnx-ml.pb.h
  COMMAND protobuf::protoc --cpp_out=${schema_folder} --proto_path=${schema_folder} onnx-ml.proto
  DEPENDS ${schema_folder}/onnx-ml.proto protobuf::protoc
  COMMENT "Compiling the ONNX schema"
  VERBATIM)
add_library(tamis_onnx_schema STATIC ${schema_folder}/onnx-ml.pb.cc ${schema_folder}/onnx-ml.pb.h)
target_compile_options(tamis_onnx_schema PRIVATE -w)
target_include_directories(tamis_onnx_schema SYSTEM PUBLIC ${schema_folder})
target_link_libraries(tamis_onnx_schema PUBLIC protobuf::libprotobuf)
target_link_libraries(tamis_onnx PRIVATE tamis_onnx_schema)

# Tests and the fuzz target use the schema as well. Their targets are made after this file has been read.
if(TAMIS_BUILD_TESTS)
  cmake_language(DEFER CALL target_link_libraries tamis_onnx_test PRIVATE tamis_onnx_schema GTest::gmock)
endif()
if(TAMIS_BUILD_FUZZERS)
  cmake_language(DEFER CALL target_link_libraries import_fuzz PRIVATE tamis_onnx_schema)
endif()
