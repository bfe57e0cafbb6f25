// Several requests as one run of all their rows.
#pragma once

#include <span>
#include <vector>

#include "tamis/session.h"

namespace tamis {

// Where all inputs and outputs are tensors whose first dimension is the number of rows. The requests' tensors agree in
// their other dimensions. Each gets its rows of the outputs, as views of what the run gave. On a GPU its rows of the
// inputs go there from where they are. An error is that of the whole run.
Result<std::vector<NamedTensors>> RunTogether(Session& session, std::span<const NamedTensors* const> requests);

}  // namespace tamis
