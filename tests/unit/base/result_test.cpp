#include "runtime/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace hawser {
namespace {

struct Animal {
    virtual ~Animal() = default;
};
struct Cat final : Animal {};

Result<std::unique_ptr<Animal>> adopt(bool any_left) {
    if (!any_left) return Error{Errc::NotFound, "no cat is left"};
    return std::make_unique<Cat>();
}

TEST(ResultTest, HoldsAValueOrAnError) {
    auto good = adopt(true);
    ASSERT_TRUE(good.ok());
    EXPECT_NE(*good, nullptr);
    const std::unique_ptr<Animal> taken = std::move(good).value();
    EXPECT_NE(taken, nullptr);

    const auto bad = adopt(false);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code, Errc::NotFound);
    EXPECT_EQ(bad.error().message, "no cat is left");
}

TEST(ResultTest, OfVoid) {
    EXPECT_TRUE(Result<void>().ok());
    const Result<void> bad = Error{Errc::Closed, "the peer went away"};
    EXPECT_FALSE(bad);
    EXPECT_EQ(bad.error().code, Errc::Closed);
}

TEST(ResultDeathTest, MisuseIsABug) {
    EXPECT_DEATH((void)adopt(false).value(), "no cat is left");
    EXPECT_DEATH((void)adopt(true).error(), "error\\(\\) of a value");
}

TEST(ErrcTest, NamesAreStable) {
    EXPECT_STREQ(to_string(Errc::AddressInUse), "address-in-use");
    EXPECT_STREQ(to_string(Errc::Internal), "internal");
}

}  // namespace
}  // namespace hawser
