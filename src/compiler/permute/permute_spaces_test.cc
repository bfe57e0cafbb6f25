#include "src/compiler/permute/permute_spaces.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

using Atoms = std::vector<std::vector<int32_t>>;

TEST(PermuteSpaces, RelatedSpacesMoveTogether) {
  ChannelSpaces spaces;
  const SpaceId a = spaces.Add(3), b = spaces.Add(3);
  spaces.Relate(a, b);
  const auto classes = spaces.FindClasses();
  ASSERT_EQ(classes.size(), 1U);
  EXPECT_EQ(classes[0].atoms, (Atoms{{0, 3}, {1, 4}, {2, 5}}));
}

TEST(PermuteSpaces, PartsOfAWholeDoNotMix) {
  ChannelSpaces spaces;
  const SpaceId a = spaces.Add(2), b = spaces.Add(2), whole = spaces.Add(4);
  spaces.Relate(a, whole, {{0, 0}, {1, 1}});
  spaces.Relate(b, whole, {{0, 2}, {1, 3}});
  const auto classes = spaces.FindClasses();
  ASSERT_EQ(classes.size(), 2U);
  EXPECT_EQ(classes[0].atoms, (Atoms{{0, 4}, {1, 5}}));
  EXPECT_EQ(classes[1].atoms, (Atoms{{2, 6}, {3, 7}}));
}

// Halves of one space that are tied to each other, as a gate to what it gates: each half moves like the other.
TEST(PermuteSpaces, SeveralChannelsOfASpaceMayBeOneAtom) {
  ChannelSpaces spaces;
  const SpaceId both = spaces.Add(6), gate = spaces.Add(3), up = spaces.Add(3);
  spaces.Relate(both, gate, {{0, 0}, {1, 1}, {2, 2}});
  spaces.Relate(both, up, {{3, 0}, {4, 1}, {5, 2}});
  spaces.Relate(gate, up);
  const auto classes = spaces.FindClasses();
  ASSERT_EQ(classes.size(), 1U);
  EXPECT_EQ(classes[0].atoms, (Atoms{{0, 3, 6, 9}, {1, 4, 7, 10}, {2, 5, 8, 11}}));
}

// Channel 0 has its copies in the other order than channel 1: an exchange would tear them apart.
TEST(PermuteSpaces, CopiesInDifferentOrdersAreDifferentPlaces) {
  ChannelSpaces spaces;
  const SpaceId a = spaces.Add(4), b = spaces.Add(4);
  spaces.Relate(a, a, {{0, 2}, {1, 3}});
  spaces.Relate(a, b, {{0, 2}, {2, 0}, {1, 1}, {3, 3}});
  EXPECT_TRUE(spaces.FindClasses().empty());
  EXPECT_FALSE(spaces.WhyFixed(0).empty());
}

TEST(PermuteSpaces, BinsAndPinsHold) {
  ChannelSpaces spaces;
  const SpaceId a = spaces.Add(6), b = spaces.Add(6);
  spaces.Relate(a, b);
  spaces.Bin(a, {0, 0, 0, 1, 1, 1});
  const std::vector<int32_t> pinned = {5};
  spaces.Pin(b, pinned, "somebody looks at it");
  const auto classes = spaces.FindClasses();
  ASSERT_EQ(classes.size(), 2U);
  EXPECT_EQ(classes[0].atoms, (Atoms{{0, 6}, {1, 7}, {2, 8}}));
  EXPECT_EQ(classes[1].atoms, (Atoms{{3, 9}, {4, 10}}));
  EXPECT_EQ(spaces.WhyFixed(5), "somebody looks at it");
  EXPECT_EQ(spaces.WhyFixed(4), "");
}

}  // namespace
}  // namespace tamis
