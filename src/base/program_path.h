// Where the programs that belong together are.
#pragma once

#include <string>

namespace tamis {

// The path of another program of Tamis ("tamis-tune-worker"): beside this executable, or, where this code is a library
// (the Python package's), in the folder bin/ beside the library. If it is at neither place, the path beside this
// executable, for the message of the error that follows.
std::string ProgramPath(const std::string& name);

}  // namespace tamis
