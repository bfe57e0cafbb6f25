// Plans and provenance to and from FlatBuffers.
#pragma once

#include <vector>

#include "src/engine/decode_budget.h"
#include "src/engine/engine.h"
#include "src/engine/engine_generated.h"

namespace tamis {

flatbuffers::Offset<fb::Plan> EncodePlan(flatbuffers::FlatBufferBuilder& fbb, const Plan& plan);
flatbuffers::Offset<fb::Provenance> EncodeProvenance(flatbuffers::FlatBufferBuilder& fbb, const Provenance& provenance);

// `variants`: how many the file has.
Status DecodePlan(const fb::Plan& stored, int variants, DecodeBudget* budget, Plan* plan);
Status DecodeProvenance(const fb::Provenance& stored, DecodeBudget* budget, Provenance* provenance);

}  // namespace tamis
