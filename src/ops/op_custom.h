// Operators that shared libraries bring (include/tamis/custom_op.h). FindOp knows them like any other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/ops/op_def.h"
#include "tamis/custom_op.h"

namespace tamis {

struct CustomOpSource {
  std::string library;  // as it names itself
  std::string version;
  std::string file;
};

// Loads every *.so of a folder, in the order of their names, and registers its operators for good. What is wrong with
// any of them is one error (kUser) that names each file; the others are loaded all the same. A file that is loaded
// already is left alone. Thread-safe.
Status LoadCustomOps(const std::string& folder);
// The folder that TAMIS_CUSTOM_OPS names, once; Ok if it is not set.
Status LoadCustomOpsFromEnvironment();
// Registers a library that is in memory already. `file` is for messages.
Status RegisterCustomOps(const TamisCustomOpLibrary& library, const std::string& file);

// nullptr if no library has brought it. Valid for the rest of the process.
const OpDef* FindCustomOp(std::string_view name, std::string_view domain);
const CustomOpSource* FindCustomOpSource(std::string_view name, std::string_view domain);

}  // namespace tamis
