#include "python/src/errors.h"

#include <cctype>

namespace tamis::python {

Status WithArgumentNames(const Status& status) {
  const std::string& from = status.message();
  std::string text;
  for (size_t at = 0; at < from.size();) {
    const bool starts = at == 0 || from[at - 1] == ' ' || from[at - 1] == '(' || from[at - 1] == '\n';
    const bool flag = starts && from.compare(at, 2, "--") == 0 && at + 2 < from.size() &&
                      std::islower(static_cast<unsigned char>(from[at + 2])) != 0;
    if (!flag) {
      text += from[at++];
      continue;
    }
    for (at += 2; at < from.size() && (from[at] == '-' || std::islower(static_cast<unsigned char>(from[at])) != 0);
         ++at) {
      text += from[at] == '-' ? '_' : from[at];
    }
  }
  return Status(status.kind(), text);
}

}  // namespace tamis::python
