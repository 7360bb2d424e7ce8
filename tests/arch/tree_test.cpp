// The rules of the house, held against the tree that this test was built from.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "tests/arch/checker.h"

namespace hawser::arch {
namespace {

using ::testing::IsEmpty;

TEST(Tree, IncludesGoDownward) {
    EXPECT_THAT(check_includes(HAWSER_SOURCE_DIR), IsEmpty());
}

TEST(Tree, TargetsLinkDownward) {
    std::ostringstream links;
    links << std::ifstream(HAWSER_LINKS_FILE).rdbuf();
    ASSERT_NE(links.view().find("hawser_base"), std::string_view::npos)
        << "no targets in " << HAWSER_LINKS_FILE;
    EXPECT_THAT(check_links(links.view()), IsEmpty());
}

TEST(Tree, TextsAreFinishedShortAndOfNoMachine) {
    EXPECT_THAT(check_texts(HAWSER_SOURCE_DIR), IsEmpty());
}

}  // namespace
}  // namespace hawser::arch
