# The FlatBuffers header is generated at build time; it is a system header, so its warnings are not ours.
set(engine_schema ${CMAKE_CURRENT_SOURCE_DIR}/src/engine/engine.fbs)
set(engine_generated ${CMAKE_BINARY_DIR}/generated/src/engine/engine_generated.h)
add_custom_command(
  OUTPUT ${engine_generated}
  COMMAND ${TAMIS_FLATC} --cpp --scoped-enums -o ${CMAKE_BINARY_DIR}/generated/src/engine ${engine_schema}
  DEPENDS ${engine_schema}
  COMMENT "Generating engine_generated.h")
target_sources(tamis_engine PRIVATE ${engine_generated})
target_include_directories(tamis_engine SYSTEM PRIVATE ${CMAKE_BINARY_DIR}/generated)
