# Compiles the protocol's schema. The generated code is used in this folder alone.
set(schema_folder ${CMAKE_BINARY_DIR}/generated/src/grpc)
set(schema_sources "")
foreach(name kserve health)
  add_custom_command(
    OUTPUT ${schema_folder}/${name}.pb.cc ${schema_folder}/${name}.pb.h ${schema_folder}/${name}.grpc.pb.cc
           ${schema_folder}/${name}.grpc.pb.h
    COMMAND protobuf::protoc --cpp_out=${CMAKE_BINARY_DIR}/generated --grpc_out=${CMAKE_BINARY_DIR}/generated
            --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin> --proto_path=${CMAKE_SOURCE_DIR}
            src/grpc/${name}.proto
    DEPENDS ${CMAKE_SOURCE_DIR}/src/grpc/${name}.proto protobuf::protoc
    COMMENT "Compiling src/grpc/${name}.proto"
    VERBATIM)
  list(APPEND schema_sources ${schema_folder}/${name}.pb.cc ${schema_folder}/${name}.grpc.pb.cc)
endforeach()
add_library(tamis_grpc_schema STATIC ${schema_sources})
target_compile_options(tamis_grpc_schema PRIVATE -w)
target_include_directories(tamis_grpc_schema SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/generated)
target_link_libraries(tamis_grpc_schema PUBLIC gRPC::grpc++ protobuf::libprotobuf)
target_link_libraries(tamis_grpc PUBLIC tamis_grpc_schema)
