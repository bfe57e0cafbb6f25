// Inputs and outputs of a session by name, and their names in messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tamis/session.h"

namespace tamis {

const TensorSpec* FindSpec(const std::vector<TensorSpec>& specs, std::string_view name);  // nullptr if there is none
std::string NamesOf(const std::vector<TensorSpec>& specs);                                // 'a', 'b'; none

}  // namespace tamis
