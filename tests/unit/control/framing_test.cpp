#include "runtime/control/framing.h"

#include <gtest/gtest.h>

#include "hawser/control.pb.h"
#include "runtime/base/random.h"

namespace hawser::control {
namespace {

Command setup(std::size_t launch_size) {
    Command command;
    command.mutable_setup()->set_launch(std::string(launch_size, 'x'));
    return command;
}

std::string framed(const Command& command) {
    std::string bytes;
    EXPECT_TRUE(append_frame(command, bytes).ok());
    return bytes;
}

TEST(Framing, BringsMessagesBackWhateverThePieces) {
    const std::string stream =
        framed(setup(0)) + framed(setup(5)) + framed(setup(127)) + framed(setup(70'000));
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{1000}, stream.size()}) {
        Deframer deframer;
        std::vector<std::size_t> sizes;
        for (std::size_t at = 0; at < stream.size(); at += piece) {
            deframer.append(std::string_view(stream).substr(at, piece));
            for (std::string_view message;;) {
                auto next = deframer.next(message);
                ASSERT_TRUE(next.ok());
                if (!*next) break;
                Command command;
                ASSERT_TRUE(command.ParseFromArray(message.data(), static_cast<int>(message.size())));
                sizes.push_back(command.setup().launch().size());
            }
        }
        EXPECT_EQ(sizes, (std::vector<std::size_t>{0, 5, 127, 70'000})) << "in pieces of " << piece;
        EXPECT_EQ(deframer.pending(), 0u);
    }
}

TEST(Framing, ATruncatedMessageIsNeverHandedOut) {
    const std::string whole = framed(setup(300));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        Deframer deframer;
        deframer.append(std::string_view(whole).substr(0, length));
        std::string_view message;
        auto next = deframer.next(message);
        ASSERT_TRUE(next.ok());
        EXPECT_FALSE(*next) << "after " << length << " of " << whole.size() << " bytes";
    }
}

TEST(Framing, AMessageTooLongIsRefusedByBothSides) {
    std::string bytes = "before";
    EXPECT_FALSE(append_frame(setup(kMaxMessage), bytes).ok());
    EXPECT_EQ(bytes, "before");

    Deframer deframer;
    deframer.append("\x81\x80\x40");  // 1 MiB + 1
    std::string_view message;
    EXPECT_EQ(deframer.next(message).error().code, Errc::Protocol);
}

TEST(Framing, ALengthThatIsNoVarint32BreaksTheStreamForGood) {
    Deframer deframer;
    deframer.append("\xff\xff\xff\xff\xff");
    std::string_view message;
    EXPECT_FALSE(deframer.next(message).ok());
    deframer.append(framed(setup(1)));
    EXPECT_FALSE(deframer.next(message).ok()) << "where a message begins is not known any more";
}

TEST(Framing, RandomBytesDoNoHarm) {
    SeededRandom random(7);
    for (int round = 0; round < 2000; ++round) {
        Deframer deframer;
        std::string bytes;
        for (std::uint64_t n = random.below(64); n > 0; --n) bytes += static_cast<char>(random.below(256));
        deframer.append(bytes);
        for (std::string_view message;;) {
            auto next = deframer.next(message);
            if (!next.ok() || !*next) break;
            Report report;
            (void)report.ParseFromArray(message.data(), static_cast<int>(message.size()));
        }
    }
}

}  // namespace
}  // namespace hawser::control
