// Files in the tree that are generated, and compared with what would be generated now.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace hawser::test {

// HAWSER_UPDATE_GOLDEN=1 in the environment writes the file anew instead.
inline void expect_golden(const std::string& path, const std::string& text) {
    if (std::getenv("HAWSER_UPDATE_GOLDEN")) std::ofstream(path) << text;
    std::ifstream file(path);
    ASSERT_TRUE(file) << path << " is missing; run this test with HAWSER_UPDATE_GOLDEN=1 to write it";
    std::ostringstream found;
    found << file.rdbuf();
    EXPECT_EQ(found.str(), text) << path
                                 << " is out of date; run this test with HAWSER_UPDATE_GOLDEN=1, look at "
                                    "the difference and commit it";
}

}  // namespace hawser::test
