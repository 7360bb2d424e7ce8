// What `gst-inspect-1.0` shows: names, types, defaults and units of everything a user can set or read.
#include <gtest/gtest.h>

#include "tests/support/link.h"
#include "tests/support/process.h"

namespace hawser::test {
namespace {

struct Expected {
    const char* name;
    const char* type;
    const char* initial;  // as gst_value_serialize() writes it; nullptr where it does not matter
    bool writable;
};

const Expected kBoth[] = {
    {"uri", "gchararray", nullptr, true},
    {"address", "gchararray", nullptr, true},
    {"port", "guint", nullptr, true},
    {"current-port", "guint", "0", false},
    {"stream", "gchararray", nullptr, true},
    {"max-object-size", "guint64", "268435456", true},
    {"handshake-timeout", "guint64", "5000000000", true},
    {"peer-timeout", "guint64", "3000000000", true},
    {"reconnect-min-delay", "guint64", "100000000", true},
    {"reconnect-max-delay", "guint64", "1000000000", true},
    {"reconnect-attempts", "gint", "-1", true},
    {"io-engine", nullptr, "auto", true},
    {"busy-poll", "guint", "0", true},
    {"state", "HawserState", "idle", false},
    {"stats", "GstStructure", nullptr, false},
};
const Expected kSink[] = {
    {"mode", nullptr, "listener", true},
    {"wait-for-connection", "gboolean", "true", true},
    {"sync", "gboolean", "false", true},
    {"slow-client-policy", nullptr, "auto", true},
    {"max-block", "guint64", "10000000000", true},
    {"linger", "guint64", "5000000000", true},
    {"max-size-bytes", "guint64", "67108864", true},
    {"max-size-time", "guint64", "30000000000", true},
    {"max-size-buffers", "guint64", "16384", true},
    {"max-clients", "guint", "10000", true},
    {"max-park", "guint64", "300000000000", true},
    {"max-coalesce", "gint64", "-1", true},
    {"io-threads", "guint", "1", true},
    {"num-clients", "guint", "0", false},
};
const Expected kSrc[] = {
    {"mode", nullptr, "caller", true},           {"latency", "guint", "100", true},
    {"timestamp-mode", nullptr, "rebase", true}, {"max-queue-bytes", "guint64", "16777216", true},
    {"buffer-lists", "gboolean", "false", true},
};

void check(GObject* object, const Expected& expected) {
    SCOPED_TRACE(std::string(G_OBJECT_TYPE_NAME(object)) + "::" + expected.name);
    GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(object), expected.name);
    ASSERT_NE(spec, nullptr) << "no such property";
    if (expected.type != nullptr) {
        EXPECT_STREQ(g_type_name(spec->value_type), expected.type);
    }
    EXPECT_EQ((spec->flags & G_PARAM_WRITABLE) != 0, expected.writable);
    EXPECT_TRUE(spec->flags & G_PARAM_READABLE);
    const char* blurb = g_param_spec_get_blurb(spec);
    EXPECT_TRUE(blurb != nullptr && blurb[0] != '\0') << "says nothing about itself";
    if (expected.initial == nullptr) return;
    EXPECT_EQ(property_text(GST_ELEMENT(object), expected.name), expected.initial);
    // The documented default and the real one are the same.
    GValue value = G_VALUE_INIT;
    g_value_init(&value, spec->value_type);
    g_object_get_property(object, expected.name, &value);
    EXPECT_TRUE(g_param_value_defaults(spec, &value));
    g_value_unset(&value);
}

class Properties : public ::testing::Test {
  protected:
    void SetUp() override { init_gst(); }
    Ref<GstElement> make(const char* factory) {
        Ref<GstElement> element(gst_element_factory_make(factory, nullptr));
        EXPECT_NE(element, nullptr) << "no element " << factory;
        if (element) gst_object_ref_sink(element.get());
        return element;
    }
};

TEST_F(Properties, OfTheSink) {
    const auto sink = make("hawsersink");
    ASSERT_TRUE(sink);
    for (const auto& expected : kBoth) check(G_OBJECT(sink.get()), expected);
    for (const auto& expected : kSink) check(G_OBJECT(sink.get()), expected);
}

TEST_F(Properties, OfTheSrc) {
    const auto src = make("hawsersrc");
    ASSERT_TRUE(src);
    for (const auto& expected : kBoth) check(G_OBJECT(src.get()), expected);
    for (const auto& expected : kSrc) check(G_OBJECT(src.get()), expected);
}

TEST_F(Properties, OfASinkPad) {
    const auto sink = make("hawsersink");
    ASSERT_TRUE(sink);
    for (const char* name : {"sink_%u", "sink_7", "video"}) {
        Ref<GstPad> pad(gst_element_request_pad_simple(sink.get(), name));
        ASSERT_NE(pad, nullptr) << name;
        guint priority = 99;
        guint64 latency = 0;
        g_object_get(pad.get(), "priority", &priority, "max-latency", &latency, nullptr);
        EXPECT_EQ(priority, 4u);
        EXPECT_EQ(latency, GST_CLOCK_TIME_NONE);
        g_object_set(pad.get(), "priority", 0u, "max-latency", guint64{200 * GST_MSECOND}, nullptr);
        g_object_get(pad.get(), "priority", &priority, "max-latency", &latency, nullptr);
        EXPECT_EQ(priority, 0u);
        EXPECT_EQ(latency, 200 * GST_MSECOND);
        gst_element_release_request_pad(sink.get(), pad.get());
    }
    EXPECT_EQ(GST_ELEMENT(sink.get())->numpads, 0);
}

TEST_F(Properties, TemplatesAreAsDocumented) {
    for (const auto& [factory, name, direction, presence] :
         {std::tuple{"hawsersink", "sink_%u", GST_PAD_SINK, GST_PAD_REQUEST},
          std::tuple{"hawsersink", "%s", GST_PAD_SINK, GST_PAD_REQUEST},
          std::tuple{"hawsersrc", "src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES},
          std::tuple{"hawsersrc", "%s", GST_PAD_SRC, GST_PAD_SOMETIMES}}) {
        SCOPED_TRACE(std::string(factory) + " " + name);
        const auto element = make(factory);
        ASSERT_TRUE(element);
        GstPadTemplate* found = gst_element_get_pad_template(element.get(), name);
        ASSERT_NE(found, nullptr);
        EXPECT_EQ(GST_PAD_TEMPLATE_DIRECTION(found), direction);
        EXPECT_EQ(GST_PAD_TEMPLATE_PRESENCE(found), presence);
        Ref<GstCaps> caps(gst_pad_template_get_caps(found));
        EXPECT_TRUE(gst_caps_is_any(caps.get()));
    }
}

TEST_F(Properties, TheSameNameIsNotGivenTwice) {
    const auto sink = make("hawsersink");
    Ref<GstPad> first(gst_element_request_pad_simple(sink.get(), "sink_%u"));
    Ref<GstPad> second(gst_element_request_pad_simple(sink.get(), "sink_%u"));
    ASSERT_TRUE(first && second);
    EXPECT_STRNE(GST_PAD_NAME(first.get()), GST_PAD_NAME(second.get()));
    gst_element_release_request_pad(sink.get(), first.get());
    gst_element_release_request_pad(sink.get(), second.get());
}

TEST_F(Properties, NamesThatCannotTravelAreRefused) {
    const auto sink = make("hawsersink");
    ASSERT_TRUE(sink);
    for (const std::string& name : {std::string("\xff\xfe"), std::string(257, 'x')})
        EXPECT_EQ(gst_element_request_pad_simple(sink.get(), name.c_str()), nullptr) << name;
    Ref<GstPad> longest(gst_element_request_pad_simple(sink.get(), std::string(256, 'x').c_str()));
    EXPECT_NE(longest, nullptr);
}

TEST_F(Properties, SignalsExist) {
    const auto sink = make("hawsersink");
    const auto src = make("hawsersrc");
    ASSERT_TRUE(sink && src);
    EXPECT_NE(g_signal_lookup("client-added", G_OBJECT_TYPE(sink.get())), 0u);
    EXPECT_NE(g_signal_lookup("client-removed", G_OBJECT_TYPE(sink.get())), 0u);
    EXPECT_NE(g_signal_lookup("reconnect", G_OBJECT_TYPE(sink.get())), 0u);
    EXPECT_NE(g_signal_lookup("reconnect", G_OBJECT_TYPE(src.get())), 0u);
}

TEST_F(Properties, ReadWellInGstInspect) {
    for (const char* name : {"hawsersink", "hawsersrc", "hawser"}) {
        Process inspect({"gst-inspect-1.0", name});
        EXPECT_EQ(inspect.wait_exit(Milliseconds(20000)), 0) << inspect.output();
        EXPECT_TRUE(inspect.matching("CRITICAL|WARNING").empty()) << inspect.output();
    }
    Process inspect({"gst-inspect-1.0", "hawsersrc"});
    inspect.wait_exit(Milliseconds(20000));
    EXPECT_FALSE(inspect.matching("Rank .*primary").empty()) << inspect.output();
    EXPECT_FALSE(inspect.matching("Klass .*Source.*").empty()) << inspect.output();
    EXPECT_FALSE(inspect.matching("hawser://|^ *hawser$").empty()) << inspect.output();
}

TEST_F(Properties, SayTheirUnit) {
    for (const char* factory : {"hawsersink", "hawsersrc"}) {
        const auto element = make(factory);
        ASSERT_TRUE(element);
        for (const auto& [name, unit] : {std::pair{"max-park", "nanoseconds"},
                                         {"max-coalesce", "nanoseconds"},
                                         {"busy-poll", "microseconds"},
                                         {"peer-timeout", "nanoseconds"},
                                         {"max-size-time", "nanoseconds"}}) {
            GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element.get()), name);
            if (spec == nullptr) continue;  // the other element's
            EXPECT_NE(std::string(g_param_spec_get_blurb(spec)).find(unit), std::string::npos)
                << factory << "::" << name << ": " << g_param_spec_get_blurb(spec);
        }
    }
}

TEST_F(Properties, NameTheIoEngines) {
    Process inspect({"gst-inspect-1.0", "hawsersink"});
    EXPECT_EQ(inspect.wait_exit(Milliseconds(20000)), 0) << inspect.output();
    for (const char* engine : {"auto", "epoll", "io-uring"})
        EXPECT_FALSE(inspect.matching("\\([0-9]+\\): " + std::string(engine) + " ").empty()) << engine;
    EXPECT_FALSE(inspect.matching("Range: 1 - 64 Default: 1 *$").empty()) << "io-threads";
}

}  // namespace
}  // namespace hawser::test
