// hawser://host:port/stream?key=value on both elements.
#include <gtest/gtest.h>

#include "tests/support/link.h"

namespace hawser::test {
namespace {

class Uri : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        init_gst();
        element_.reset(gst_element_factory_make(GetParam(), nullptr));
        ASSERT_NE(element_, nullptr);
        gst_object_ref_sink(element_.get());
    }
    bool set(const std::string& uri, std::string* why = nullptr) {
        GError* error = nullptr;
        const bool good = gst_uri_handler_set_uri(GST_URI_HANDLER(element_.get()), uri.c_str(), &error);
        EXPECT_EQ(good, error == nullptr) << uri;
        if (error != nullptr) {
            EXPECT_EQ(error->domain, GST_URI_ERROR) << uri;
            if (why != nullptr) *why = error->message;
            g_error_free(error);
        }
        return good;
    }
    std::string text(const char* property) { return property_text(element_.get(), property); }
    bool is_sink() const { return std::string(GetParam()) == "hawsersink"; }

    Ref<GstElement> element_;
};

TEST_P(Uri, SetsTheProperties) {
    ASSERT_TRUE(set("hawser://example.org:7001/cam/left"));
    EXPECT_EQ(text("address"), "example.org");
    EXPECT_EQ(text("port"), "7001");
    EXPECT_EQ(text("stream"), "/cam/left");
}

TEST_P(Uri, TakesIpv6) {
    ASSERT_TRUE(set("hawser://[::1]:7000/cam"));
    EXPECT_EQ(text("address"), "::1");
    EXPECT_EQ(text("port"), "7000");
    ASSERT_TRUE(set("hawser://[fe80::1%25eth0]:7000/cam"));
    EXPECT_EQ(text("address"), "fe80::1%eth0");
    ASSERT_TRUE(set("HAWSER://[2001:db8::7]:7000/cam"));
    EXPECT_EQ(text("address"), "2001:db8::7");
}

TEST_P(Uri, EveryQueryKeyIsAProperty) {
    ASSERT_TRUE(
        set("hawser://h:7000/cam?mode=caller&peer-timeout=1000000000&reconnect-attempts=7"
            "&max-object-size=1000000&handshake-timeout=2000000000&reconnect-max-delay=300000000"));
    EXPECT_EQ(text("mode"), "caller");
    EXPECT_EQ(text("peer-timeout"), "1000000000");
    EXPECT_EQ(text("reconnect-attempts"), "7");
    EXPECT_EQ(text("max-object-size"), "1000000");
    EXPECT_EQ(text("handshake-timeout"), "2000000000");
    EXPECT_EQ(text("reconnect-max-delay"), "300000000");
    ASSERT_TRUE(set("hawser://h:7000/cam?mode=listener"));
    EXPECT_EQ(text("mode"), "listener");
    if (is_sink()) {
        ASSERT_TRUE(set("hawser://h:7000/cam?slow-client-policy=block&wait-for-connection=false&linger=0"));
        EXPECT_EQ(text("slow-client-policy"), "block");
        EXPECT_EQ(text("wait-for-connection"), "false");
        EXPECT_EQ(text("linger"), "0");
    } else {
        ASSERT_TRUE(set("hawser://h:7000/cam?timestamp-mode=original&latency=20&max-queue-bytes=65536"));
        EXPECT_EQ(text("timestamp-mode"), "original");
        EXPECT_EQ(text("latency"), "20");
        EXPECT_EQ(text("max-queue-bytes"), "65536");
    }
}

TEST_P(Uri, SetsHowTheSocketsAreServed) {
    ASSERT_TRUE(set("hawser://h:7000/cam?io-engine=io-uring&busy-poll=50"));
    EXPECT_EQ(text("io-engine"), "io-uring");
    EXPECT_EQ(text("busy-poll"), "50");
    ASSERT_TRUE(set("hawser://h:7000/cam?io-engine=epoll"));
    EXPECT_EQ(text("io-engine"), "epoll");
    if (is_sink()) {
        ASSERT_TRUE(set("hawser://h:7000/cam?io-threads=2&max-park=7000000000&max-coalesce=100000000"));
        EXPECT_EQ(text("io-threads"), "2");
        EXPECT_EQ(text("max-park"), "7000000000");
        EXPECT_EQ(text("max-coalesce"), "100000000");
        ASSERT_TRUE(set("hawser://h:7000/cam?max-coalesce=-1"));
        EXPECT_EQ(text("max-coalesce"), "-1");
    } else {
        ASSERT_TRUE(set("hawser://h:7000/cam?buffer-lists=true"));
        EXPECT_EQ(text("buffer-lists"), "true");
    }
}

TEST_P(Uri, RefusesWrongWaysToServeSockets) {
    ASSERT_TRUE(set("hawser://h:7000/cam?busy-poll=7"));
    std::vector<std::string> wrong = {"io-engine=fast",    "io-engine=",           "busy-poll=-1",
                                      "busy-poll=1000001", "busy-poll=4294967297", "busy-poll=1ms"};
    if (is_sink()) {
        for (const char* query :
             {"io-threads=0", "io-threads=65", "io-threads=-1", "io-threads=two", "io-threads=1.5",
              "max-park=0", "max-park=-1", "max-park=18446744073709551615", "max-coalesce=-2",
              "max-coalesce=10000000001", "max-coalesce=100ms", "max-coalesce=1e8",
              "max-coalesce=18446744073709551615", "max-coalesce=99999999999999999999"})
            wrong.emplace_back(query);
    } else {
        wrong.emplace_back("buffer-lists=perhaps");
        wrong.emplace_back("io-threads=2");
        wrong.emplace_back("max-coalesce=0");
    }
    for (const auto& query : wrong) {
        std::string why;
        EXPECT_FALSE(set("hawser://h:7000/cam?" + query, &why)) << query << " was accepted";
        EXPECT_NE(why.find(query.substr(0, query.find('='))), std::string::npos) << query << ": " << why;
        EXPECT_EQ(text("busy-poll"), "7") << query << " changed the element all the same";
    }
}

TEST_P(Uri, SaysWhichValuesItTakes) {
    const std::pair<const char*, const char*> wrong[] = {
        {"io-engine=fast", "expected auto, epoll or io-uring"},
        {"port=1", "port"},
        {"busy-poll=1ms", "expected a whole number from 0 to 1000000"},
        {"reconnect-attempts=-2", "expected a whole number from -1 to 2147483647"},
        {"peer-timeout=0", "expected a whole number from 1 to 9223372036854775807"},
        {is_sink() ? "sync=maybe" : "buffer-lists=maybe", "expected true or false"},
    };
    for (const auto& [query, words] : wrong) {
        std::string why;
        EXPECT_FALSE(set(std::string("hawser://h:7000/cam?") + query, &why)) << query;
        EXPECT_NE(why.find(words), std::string::npos) << why;
    }
}

TEST_P(Uri, IsGivenBack) {
    ASSERT_TRUE(set("hawser://h:7000/cam?mode=caller"));
    gchar* uri = gst_uri_handler_get_uri(GST_URI_HANDLER(element_.get()));
    ASSERT_NE(uri, nullptr);
    const std::string given = uri;
    g_free(uri);
    EXPECT_EQ(given.rfind("hawser://h:7000/cam", 0), 0u) << given;
    EXPECT_TRUE(set(given)) << "what get_uri() gives is not accepted: " << given;
    EXPECT_EQ(text("uri"), given);
}

TEST_P(Uri, CanBeSetAsAProperty) {
    g_object_set(element_.get(), "uri", "hawser://h:7002/mic?peer-timeout=5000000000", nullptr);
    EXPECT_EQ(text("address"), "h");
    EXPECT_EQ(text("port"), "7002");
    EXPECT_EQ(text("stream"), "/mic");
    EXPECT_EQ(text("peer-timeout"), "5000000000");
}

TEST_P(Uri, WrongOnesAreRefusedWithAText) {
    ASSERT_TRUE(set("hawser://h:7000/cam"));
    const std::string before = text("uri");
    const std::pair<const char*, const char*> wrong[] = {
        // the URI, and a word that the text must have (nullptr: any)
        {"http://h:7000/cam", nullptr},
        {"hawser://", nullptr},
        {"hawser:h", nullptr},
        {"hawser://h:99999/cam", "99999"},
        {"hawser://h:port/cam", nullptr},
        {"hawser://[::1/cam", nullptr},
        {"hawser://h:7000/cam?no-such-key=1", "no-such-key"},
        {"hawser://h:7000/cam?mode=sideways", "mode"},
        {"hawser://h:7000/cam?peer-timeout=soon", "peer-timeout"},
        {"hawser://h:7000/cam?state=streaming", "state"},
        {"hawser://h:7000/my%zzcam", nullptr},
        {"hawser://h:7000/my%00cam", nullptr},
        {"hawser://h:7000/cam#left", nullptr},
        {"hawser://h:7000/cam?mode", "mode"},
        {"hawser://h:7000/cam?mode=", "mode"},
        {"hawser://h:7000/cam?peer-timeout=-5", "peer-timeout"},
        {"hawser://h:7000/cam?reconnect-attempts=99999999999999999999", "reconnect-attempts"},
    };
    for (const auto& [uri, word] : wrong) {
        std::string why;
        EXPECT_FALSE(set(uri, &why)) << uri << " was accepted";
        EXPECT_GE(why.size(), 10u) << uri << ": \"" << why << "\"";
        if (word != nullptr) {
            EXPECT_NE(why.find(word), std::string::npos) << uri << ": \"" << why << "\"";
        }
        EXPECT_EQ(text("uri"), before) << uri << " changed the element all the same";
    }
}

TEST_P(Uri, IsRefusedWhileItRuns) {
    Pipeline pipeline;
    GstElement* element = pipeline.add(GetParam(), "element");
    g_object_set(element, "uri", "hawser://127.0.0.1:0/cam?mode=listener", nullptr);
    pipeline.play();
    GError* error = nullptr;
    EXPECT_FALSE(gst_uri_handler_set_uri(GST_URI_HANDLER(element), "hawser://127.0.0.1:1/x", &error));
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->code, GST_URI_ERROR_BAD_STATE) << error->message;
    g_error_free(error);
}

INSTANTIATE_TEST_SUITE_P(Both, Uri, ::testing::Values("hawsersink", "hawsersrc"));

TEST(UriProtocol, IsKnownToGStreamer) {
    init_gst();
    EXPECT_TRUE(gst_uri_protocol_is_supported(GST_URI_SRC, "hawser"));
    EXPECT_TRUE(gst_uri_protocol_is_supported(GST_URI_SINK, "hawser"));
    Ref<GstElement> src(gst_element_make_from_uri(GST_URI_SRC, "hawser://h:7000/cam", nullptr, nullptr));
    ASSERT_NE(src, nullptr);
    gst_object_ref_sink(src.get());
    EXPECT_STREQ(GST_OBJECT_NAME(gst_element_get_factory(src.get())), "hawsersrc");
}

}  // namespace
}  // namespace hawser::test
