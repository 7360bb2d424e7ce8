// Receivers that cannot keep up, or do not want to: what becomes of them, of the others, and of the sender.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/link.h"
#include "tests/support/load_end.h"
#include "tests/support/proxy.h"

namespace hawser::test {
namespace {

constexpr std::size_t kSize = 20'000;
constexpr std::uint64_t kGroup = 10;

std::size_t own_memory() {
    std::ifstream file("/proc/self/statm");
    std::size_t total = 0, resident = 0;
    file >> total >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

Stats skipped_by_reason(const Stats& stats) {
    const GValue* value = gst_structure_get_value(stats.get(), "skipped-by-reason");
    return Stats(gst_structure_copy(gst_value_get_structure(value)));
}

// The reasons that client-removed gave.
class Removed {
  public:
    explicit Removed(GstElement* sink) : sink_(sink) {
        handler_ = g_signal_connect(sink, "client-removed", G_CALLBACK(&Removed::on_removed), this);
    }
    Removed(const Removed&) = delete;
    Removed& operator=(const Removed&) = delete;
    ~Removed() { g_signal_handler_disconnect(sink_, handler_); }
    std::vector<std::string> reasons() const {
        const std::lock_guard lock(mutex_);
        return reasons_;
    }

  private:
    static void on_removed(GstElement*, guint64, const gchar* reason, gpointer self) {
        auto* removed = static_cast<Removed*>(self);
        const std::lock_guard lock(removed->mutex_);
        removed->reasons_.emplace_back(reason);
    }
    GstElement* sink_;
    gulong handler_;
    mutable std::mutex mutex_;
    std::vector<std::string> reasons_;
};

// One receiver that does not read beside others that do, fed as fast as those take it.
class Beside : public ::testing::Test {
  protected:
    static constexpr unsigned kGood = 10;

    void SetUp() override { init_gst(); }

    void begin(const std::string& properties) {
        sender_ = std::make_unique<Sender>(
            "uri=hawser://127.0.0.1:0/load wait-for-connection=false slow-client-policy=drop " + properties);
        removed_ = std::make_unique<Removed>(sender_->sink);
        pad_ = &sender_->pad("sink_0");
        sender_->play();
        pad_->start();
        push_one();
        LoadOptions options;
        options.port = static_cast<std::uint16_t>(sender_->port());
        options.stream = "/load";
        options.clients = kGood + 1;
        options.never_read = 1;
        options.at_a_time = 0;
        load_ = std::make_unique<LoadEnd>(options);
        ASSERT_TRUE(load_->wait(kLong, [](const LoadCounters& all) {
            return all.served >= kGood && all.subscribed >= kGood + 1;
        })) << load_->text();
    }
    void push_one() {
        GstBuffer* buffer = load_buffer(kSize, pushed_);
        if (pushed_ % kGroup != 0) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
        ASSERT_EQ(pad_->push(buffer), GST_FLOW_OK);
        ++pushed_;
    }
    // So many more, at most `window` ahead of the slowest good one.
    void push(std::uint64_t count, std::uint64_t window = 50) {
        for (const std::uint64_t end = pushed_ + count; pushed_ < end;) {
            push_one();
            if (pushed_ % kGroup == 0) {
                ASSERT_TRUE(good_have(pushed_ < window ? 1 : pushed_ - window))
                    << "after " << pushed_ << ": " << load_->text();
            }
        }
        ASSERT_TRUE(good_have(pushed_)) << load_->text();
    }
    bool good_have(std::uint64_t objects) const {
        return load_->wait(kSoon, [&](const LoadCounters& all) {
            for (unsigned i = 1; i <= kGood; ++i)
                if (all.connections[i].last_index + 1 < objects) return false;
            return true;
        });
    }
    // As the sender shows the one that is furthest behind.
    Stats victim() const {
        auto clients = sender_->stats().array("client-stats");
        const auto at = std::max_element(clients.begin(), clients.end(), [](const Stats& a, const Stats& b) {
            return a.number("lag") < b.number("lag");
        });
        return at == clients.end() ? Stats() : std::move(*at);
    }
    bool victim_is(const std::string& state, Milliseconds bound = kSoon) const {
        return eventually(bound, [&] { return victim().string("state") == state; });
    }
    void expect_good_ones_unharmed() const {
        EXPECT_EQ((*load_).counters().wrong, 0u) << load_->text();
        for (unsigned i = 1; i <= kGood; ++i) {
            const auto& one = load_->counters().connections[i];
            EXPECT_EQ(one.objects, pushed_) << "receiver " << i;
            EXPECT_EQ(one.lost, 0u) << "receiver " << i;
        }
    }

    std::unique_ptr<Sender> sender_;
    std::unique_ptr<Removed> removed_;
    std::unique_ptr<LoadEnd> load_;
    Feeder* pad_ = nullptr;
    std::uint64_t pushed_ = 0;
};

TEST_F(Beside, CostsNothingButTheRing) {
    constexpr std::size_t kRing = 8'000'000, kSlack = 20'000'000;
    begin("max-size-bytes=" + std::to_string(kRing));
    push(400);  // the ring is full once
    const std::size_t before = own_memory();
    std::size_t most = before;
    for (int i = 0; i < 10; ++i) {
        push(400);
        most = std::max(most, own_memory());
    }
    EXPECT_LT(most, before + kSlack) << "grew by " << (most - before) / 1'000'000 << " MB of "
                                     << pushed_ * kSize / 1'000'000;
    EXPECT_LE(sender_->stats().array("tracks").at(0).number("ring-bytes"), kRing);
    EXPECT_TRUE(victim_is("parked")) << sender_->stats().text();
    EXPECT_GT(victim().number("lag"), pushed_ / 2) << sender_->stats().text();
    expect_good_ones_unharmed();

    // It wakes up: everything is accounted for, in its books and in the sender's.
    (*load_)->read_on = true;
    const auto& late = load_->counters().connections[0];
    EXPECT_TRUE(load_->wait(kSoon, [&](const LoadCounters&) { return late.last_index + 1 == pushed_; }))
        << load_->text();
    push(20);
    EXPECT_TRUE(load_->wait(kSoon, [&](const LoadCounters&) { return late.last_index + 1 == pushed_; }))
        << load_->text();
    EXPECT_GT(late.lost, 0u);
    EXPECT_EQ(late.objects + late.lost, pushed_);
    expect_good_ones_unharmed();
    const auto stats = sender_->stats();
    std::multiset<std::pair<std::uint64_t, std::uint64_t>> told, had;
    for (const auto& client : stats.array("client-stats")) {
        told.emplace(client.number("objects"), client.number("lost"));
        EXPECT_EQ(client.string("state"), "live");
        EXPECT_EQ(client.number("lag"), 0u);
    }
    for (unsigned i = 0; i <= kGood; ++i) {
        const auto& one = load_->counters().connections[i];
        had.emplace(one.objects, one.lost);
    }
    EXPECT_EQ(told, had) << stats.text();
    EXPECT_EQ(stats.number("skipped"), late.lost) << stats.text();
    const Stats reasons = skipped_by_reason(stats);
    std::uint64_t sum = 0;
    for (gint i = 0; i < gst_structure_n_fields(reasons.get()); ++i)
        sum += reasons.number(gst_structure_nth_field_name(reasons.get(), static_cast<guint>(i)));
    EXPECT_EQ(sum, late.lost) << stats.text();
    EXPECT_GT(reasons.number("slow-client"), 0u) << stats.text();
    EXPECT_TRUE(removed_->reasons().empty());
}

TEST_F(Beside, IsClosedAfterMaxPark) {
    begin("max-size-bytes=4000000 max-park=1000000000");
    push(600);
    EXPECT_TRUE(eventually(kLong, [&] { return removed_->reasons().size() == 1; }))
        << sender_->stats().text();
    ASSERT_EQ(removed_->reasons().size(), 1u);
    EXPECT_NE(removed_->reasons()[0].find("max-park"), std::string::npos) << removed_->reasons()[0];
    EXPECT_TRUE(sender_->wait_clients(kGood, kSoon));
    push(100);
    expect_good_ones_unharmed();
}

TEST_F(Beside, IsClosedByThePolicyDisconnect) {
    begin("max-size-bytes=4000000 slow-client-policy=disconnect");
    push(1000);
    EXPECT_TRUE(eventually(kSoon, [&] { return removed_->reasons().size() == 1; }))
        << sender_->stats().text();
    ASSERT_EQ(removed_->reasons().size(), 1u);
    EXPECT_NE(removed_->reasons()[0].find("slow"), std::string::npos) << removed_->reasons()[0];
    EXPECT_TRUE(sender_->wait_clients(kGood, kSoon));
    EXPECT_EQ(sender_->stats().number("skipped"), 0u) << sender_->stats().text();
    push(100);
    expect_good_ones_unharmed();
}

TEST_F(Beside, IsServedByAnotherThreadJustTheSame) {
    begin("max-size-bytes=4000000 io-threads=3");
    push(800);
    EXPECT_TRUE(victim_is("parked")) << sender_->stats().text();
    (*load_)->read_on = true;
    const auto& late = load_->counters().connections[0];
    EXPECT_TRUE(load_->wait(kSoon, [&](const LoadCounters&) { return late.last_index + 1 == pushed_; }))
        << load_->text();
    EXPECT_EQ(late.objects + late.lost, pushed_);
    EXPECT_EQ(sender_->stats().number("skipped"), late.lost);
    expect_good_ones_unharmed();
}

// Every second buffer is DROPPABLE. The ring holds all; a receiver is behind at a quarter of 1024 of them.
class Droppable : public ::testing::Test {
  protected:
    static constexpr std::uint64_t kObjects = 900;

    void SetUp() override {
        init_gst();
        pad_ = &sender_.pad("sink_0");
        sender_.play();
        pad_->start();
        push(0);
        proxy_ = std::make_unique<Proxy>(sender_.port());
        receiver_ = std::make_unique<Receiver>("uri=hawser://127.0.0.1:" + std::to_string(proxy_->port()) +
                                               "/load max-queue-bytes=100000");
        receiver_->play();
        track_ = receiver_->track("src_0");
        ASSERT_TRUE(track_);
        ASSERT_TRUE(track_->wait_count(1, kSoon));
        good_ = std::make_unique<Receiver>("uri=" + sender_.uri("/load"));
        good_->play();
        good_track_ = good_->track("src_0");
        ASSERT_TRUE(good_track_);
    }
    void push(std::uint64_t index) {
        const auto bytes = random_bytes(kSize, index);
        GstBuffer* buffer = gst_buffer_new_memdup(bytes.data(), bytes.size());
        GST_BUFFER_PTS(buffer) = index * GST_MSECOND;
        if (index % 2 == 1) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DROPPABLE);
        pad_->remember(buffer);
        ASSERT_EQ(pad_->push(buffer), GST_FLOW_OK);
    }
    // No faster than the good one takes them: on a machine that has other work it would lag as well.
    void push_the_rest() {
        for (std::uint64_t i = 1; i < kObjects; ++i) {
            push(i);
            if (i % 100 == 0) {
                ASSERT_TRUE(good_track_->wait_count(i + 1, kSoon)) << good_->pipeline.log();
            }
        }
    }

    Sender sender_{
        "uri=hawser://127.0.0.1:0/load wait-for-connection=false slow-client-policy=drop "
        "max-size-buffers=1024"};
    Feeder* pad_ = nullptr;
    std::unique_ptr<Proxy> proxy_;
    std::unique_ptr<Receiver> receiver_, good_;
    std::shared_ptr<Recorder> track_, good_track_;
};

TEST_F(Droppable, IsLeftOutForOneThatLags) {
    track_->hold(true);
    push_the_rest();
    // The other one gets all of them.
    EXPECT_TRUE(good_track_->wait_count(kObjects, kSoon)) << good_->pipeline.log();
    EXPECT_EQ(difference(pad_->sent(), good_track_->buffers()), "");
    track_->hold(false);
    pad_->eos();
    ASSERT_TRUE(track_->wait_eos(kLong)) << receiver_->pipeline.log();

    std::set<GstClockTime> got;
    for (const auto& buffer : track_->buffers()) got.insert(buffer.pts);
    std::uint64_t missing = 0;
    for (std::uint64_t i = 0; i < kObjects; ++i) {
        if (got.contains(i * GST_MSECOND)) continue;
        ++missing;
        EXPECT_EQ(i % 2, 1u) << "buffer " << i << " is not droppable";
    }
    EXPECT_GT(missing, 0u) << "it was never behind";
    EXPECT_EQ(got.size(), track_->count()) << "something came twice";
    EXPECT_EQ(receiver_->stats().number("lost"), missing);
    const auto stats = sender_.stats();
    EXPECT_EQ(stats.number("skipped"), missing) << stats.text();
    EXPECT_EQ(skipped_by_reason(stats).number("slow-client"), missing) << stats.text();
    for (const auto& gap : receiver_->pipeline.element_messages("hawser-gap"))
        EXPECT_EQ(gap.string("reason"), "slow-client") << gap.text();
}

TEST_F(Droppable, IsSentToOneThatResumes) {
    proxy_->refuse(true);
    EXPECT_EQ(proxy_->cut(), 1u);
    EXPECT_TRUE(sender_.wait_clients(1, kSoon));
    push_the_rest();
    EXPECT_TRUE(good_track_->wait_count(kObjects, kSoon)) << good_->pipeline.log();
    proxy_->refuse(false);
    pad_->eos();
    ASSERT_TRUE(track_->wait_eos(kLong)) << receiver_->pipeline.log();
    EXPECT_EQ(difference(pad_->sent(), track_->buffers()), "");
    EXPECT_EQ(receiver_->stats().number("lost"), 0u);
    EXPECT_EQ(sender_.stats().number("skipped"), 0u) << sender_.stats().text();
}

}  // namespace
}  // namespace hawser::test
