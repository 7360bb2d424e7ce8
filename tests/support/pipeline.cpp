#include "tests/support/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>

#include "tests/support/process.h"

namespace hawser::test {

void init_gst() {
    static const bool once = [] {
        for (const auto& [name, value] : test_environment(false)) {
            if (name != "G_DEBUG") setenv(name.c_str(), value.c_str(), 1);
        }
        // With a sanitizer the registry is filled by a process that may leak: other people's plugins do.
        if (std::strlen(HAWSER_TEST_PRELOAD) > 0) Process({"gst-inspect-1.0", "hawser"}).wait_exit(kLong);
        gst_init(nullptr, nullptr);
        return true;
    }();
    (void)once;
    // A critical is a bug wherever it comes from.
    g_log_set_always_fatal(static_cast<GLogLevelFlags>(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK));
}

// --- Stats

std::uint64_t Stats::number(const char* field) const {
    const GValue* value = structure_ ? gst_structure_get_value(structure_.get(), field) : nullptr;
    if (value == nullptr) {
        ADD_FAILURE() << "no field \"" << field << "\" in " << text();
        return ~std::uint64_t{0};
    }
    if (G_VALUE_HOLDS_UINT64(value)) return g_value_get_uint64(value);
    if (G_VALUE_HOLDS_UINT(value)) return g_value_get_uint(value);
    if (G_VALUE_HOLDS_INT64(value)) return static_cast<std::uint64_t>(g_value_get_int64(value));
    if (G_VALUE_HOLDS_INT(value)) return static_cast<std::uint64_t>(g_value_get_int(value));
    if (G_VALUE_HOLDS_BOOLEAN(value)) return g_value_get_boolean(value) ? 1 : 0;
    ADD_FAILURE() << "field \"" << field << "\" is a " << G_VALUE_TYPE_NAME(value) << ", not a number";
    return ~std::uint64_t{0};
}

bool Stats::has(const char* field) const {
    return structure_ && gst_structure_has_field(structure_.get(), field);
}

std::string Stats::string(const char* field) const {
    const char* value = structure_ ? gst_structure_get_string(structure_.get(), field) : nullptr;
    return value != nullptr ? value : "";
}

std::vector<Stats> Stats::array(const char* field) const {
    std::vector<Stats> items;
    const GValue* value = structure_ ? gst_structure_get_value(structure_.get(), field) : nullptr;
    if (value == nullptr || !GST_VALUE_HOLDS_ARRAY(value)) {
        ADD_FAILURE() << "no array \"" << field << "\" in " << text();
        return items;
    }
    for (guint i = 0; i < gst_value_array_get_size(value); ++i) {
        const GValue* item = gst_value_array_get_value(value, i);
        if (GST_VALUE_HOLDS_STRUCTURE(item)) {
            items.emplace_back(gst_structure_copy(gst_value_get_structure(item)));
        }
    }
    return items;
}

std::string Stats::text() const {
    if (!structure_) return "(nothing)";
    gchar* raw = gst_structure_to_string(structure_.get());
    std::string text(raw);
    g_free(raw);
    return text;
}

Stats stats_of(GstElement* element, const char* property) {
    GstStructure* structure = nullptr;
    g_object_get(element, property, &structure, nullptr);
    EXPECT_NE(structure, nullptr) << property << " of " << GST_OBJECT_NAME(element) << " is NULL";
    return Stats(structure);
}

// --- Recorder

std::shared_ptr<Recorder> Recorder::attach(GstPad* pad, bool keep) {
    std::shared_ptr<Recorder> recorder(new Recorder(pad, keep));
    auto* held = new std::shared_ptr<Recorder>(recorder);
    gst_pad_add_probe(
        pad,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH),
        &Recorder::on_data, held,
        [](gpointer data) { delete static_cast<std::shared_ptr<Recorder>*>(data); });
    return recorder;
}

Recorder::Recorder(GstPad* pad, bool keep)
    : name_(GST_OBJECT_NAME(pad)), pad_(GST_PAD(gst_object_ref(pad))), keep_(keep) {
    gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
}

Recorder::~Recorder() {
    gst_object_unref(pad_);
}

GstPadProbeReturn Recorder::on_data(GstPad* pad, GstPadProbeInfo* info, gpointer self) {
    return (*static_cast<std::shared_ptr<Recorder>*>(self))->see(pad, info);
}

void Recorder::see_buffer(GstBuffer* buffer) {
    if (const long slow = slow_.load(); slow > 0) g_usleep(static_cast<gulong>(slow) * 1000);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !held_; });
    arrivals_.push_back(std::chrono::steady_clock::now());
    buffers_.push_back(describe(buffer, have_segment_ ? &segment_ : nullptr));
    if (keep_) kept_.emplace_back(gst_buffer_ref(buffer), [](GstBuffer* b) { gst_buffer_unref(b); });
    changed_.notify_all();
}

GstPadProbeReturn Recorder::see(GstPad*, GstPadProbeInfo* info) {
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
        see_buffer(GST_PAD_PROBE_INFO_BUFFER(info));
    } else if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
        GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
        for (guint i = 0; i < gst_buffer_list_length(list); ++i) see_buffer(gst_buffer_list_get(list, i));
    } else if (info->type & (GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH)) {
        std::lock_guard lock(mutex_);
        auto* event = GST_EVENT(info->data);
        EventInfo seen;
        seen.type = GST_EVENT_TYPE(event);
        seen.name = gst_event_type_get_name(seen.type);
        if (const GstStructure* structure = gst_event_get_structure(event)) {
            if (seen.name.rfind("custom", 0) == 0) seen.name = gst_structure_get_name(structure);
            gchar* text = gst_structure_to_string(structure);
            seen.text = text;
            g_free(text);
        }
        if (seen.type == GST_EVENT_SEGMENT) {
            gst_event_copy_segment(event, &segment_);
            have_segment_ = true;
        }
        seen.before = buffers_.size();
        seen.event = std::shared_ptr<GstEvent>(gst_event_ref(event), [](GstEvent* e) { gst_event_unref(e); });
        events_.push_back(std::move(seen));
        changed_.notify_all();
    }
    return GST_PAD_PROBE_OK;
}

void Recorder::hold(bool on) {
    std::lock_guard lock(mutex_);
    held_ = on;
    changed_.notify_all();
}

std::vector<BufferInfo> Recorder::buffers() const {
    std::lock_guard lock(mutex_);
    return buffers_;
}
std::vector<std::chrono::steady_clock::time_point> Recorder::arrivals() const {
    std::lock_guard lock(mutex_);
    return arrivals_;
}

std::vector<Recorder::EventInfo> Recorder::events() const {
    std::lock_guard lock(mutex_);
    return events_;
}
std::vector<Recorder::EventInfo> Recorder::events(GstEventType type) const {
    std::lock_guard lock(mutex_);
    std::vector<EventInfo> some;
    for (const auto& event : events_) {
        if (event.type == type) some.push_back(event);
    }
    return some;
}
std::vector<std::shared_ptr<GstBuffer>> Recorder::kept() const {
    std::lock_guard lock(mutex_);
    return kept_;
}
std::size_t Recorder::count() const {
    std::lock_guard lock(mutex_);
    return buffers_.size();
}
std::size_t Recorder::bytes() const {
    std::lock_guard lock(mutex_);
    std::size_t sum = 0;
    for (const auto& buffer : buffers_) sum += buffer.size;
    return sum;
}

bool Recorder::wait(Milliseconds bound, const std::function<bool(const Recorder&)>& true_when) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, bound, [&] { return true_when(*this); });
}
bool Recorder::wait_count(std::size_t count, Milliseconds bound) const {
    return wait(bound, [&](const Recorder& self) { return self.buffers_.size() >= count; });
}
bool Recorder::wait_event(GstEventType type, Milliseconds bound) const {
    return wait(bound, [&](const Recorder& self) {
        return std::any_of(self.events_.begin(), self.events_.end(),
                           [&](const auto& e) { return e.type == type; });
    });
}
bool Recorder::wait_custom(const std::string& name, Milliseconds bound) const {
    return wait(bound, [&](const Recorder& self) {
        return std::any_of(self.events_.begin(), self.events_.end(),
                           [&](const auto& e) { return e.name == name; });
    });
}

// --- Pipeline

Pipeline::Pipeline(const std::string& description) {
    init_gst();
    if (description.empty()) {
        pipeline_ = GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr)));
    } else {
        GError* error = nullptr;
        GstElement* parsed =
            gst_parse_launch_full(description.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
        EXPECT_EQ(error, nullptr) << "cannot parse \"" << description << "\": " << error->message;
        g_clear_error(&error);
        if (parsed == nullptr) parsed = gst_pipeline_new(nullptr);
        if (GST_IS_PIPELINE(parsed)) {
            pipeline_ = GST_ELEMENT(gst_object_ref_sink(parsed));
        } else {
            pipeline_ = GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr)));
            gst_bin_add(GST_BIN(pipeline_), parsed);
        }
    }
    bus_ = gst_element_get_bus(pipeline_);
    // The last messages before NULL count too.
    g_object_set(pipeline_, "auto-flush-bus", FALSE, nullptr);
    gst_bus_set_flushing(bus_, FALSE);
    bus_thread_ = std::thread([this] { drain_bus(); });
}

Pipeline::~Pipeline() {
    stop();
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
    }
    gst_bus_post(bus_, gst_message_new_application(nullptr, gst_structure_new_empty("end-of-test")));
    bus_thread_.join();
    for (auto* message : messages_) gst_message_unref(message);
    gst_object_unref(bus_);
    gst_object_unref(pipeline_);
}

void Pipeline::drain_bus() {
    while (true) {
        GstMessage* message = gst_bus_timed_pop(bus_, GST_CLOCK_TIME_NONE);
        if (message == nullptr) continue;
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_LATENCY) gst_bin_recalculate_latency(GST_BIN(pipeline_));
        std::lock_guard lock(mutex_);
        messages_.push_back(message);
        changed_.notify_all();
        if (ending_ && GST_MESSAGE_TYPE(message) == GST_MESSAGE_APPLICATION) return;
    }
}

GstElement* Pipeline::get(const std::string& name) const {
    GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline_), name.c_str());
    EXPECT_NE(element, nullptr) << "no element " << name;
    if (element != nullptr) gst_object_unref(element);  // the bin holds it
    return element;
}

GstElement* Pipeline::add(const std::string& factory, const std::string& name) {
    GstElement* element = gst_element_factory_make(factory.c_str(), name.empty() ? nullptr : name.c_str());
    EXPECT_NE(element, nullptr) << "no element " << factory;
    if (element != nullptr) gst_bin_add(GST_BIN(pipeline_), element);
    return element;
}

GstStateChangeReturn Pipeline::set_state(GstState state) {
    return gst_element_set_state(pipeline_, state);
}

void Pipeline::play() {
    const auto result = set_state(GST_STATE_PLAYING);
    EXPECT_NE(result, GST_STATE_CHANGE_FAILURE) << "the pipeline does not start\n" << log();
}

bool Pipeline::wait_state(GstState state, Milliseconds bound) {
    GstState now = GST_STATE_NULL;
    gst_element_get_state(pipeline_, &now, nullptr, static_cast<GstClockTime>(bound.count()) * GST_MSECOND);
    return now == state;
}

Milliseconds Pipeline::stop() {
    const auto start = std::chrono::steady_clock::now();
    auto done = std::async(std::launch::async, [this] { gst_element_set_state(pipeline_, GST_STATE_NULL); });
    if (done.wait_for(std::chrono::seconds(15)) != std::future_status::ready) {
        std::fprintf(stderr, "set_state(NULL) hangs\n%s\n", log().c_str());
        std::abort();
    }
    return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start);
}

std::shared_ptr<Recorder> Pipeline::record(const std::string& element, const std::string& pad, bool keep) {
    Ref<GstPad> found(gst_element_get_static_pad(get(element), pad.c_str()));
    EXPECT_NE(found, nullptr) << "no pad " << element << "." << pad;
    return found ? Recorder::attach(found.get(), keep) : nullptr;
}

bool Pipeline::wait_message(Milliseconds bound, const std::function<bool(GstMessage*)>& is_it) {
    const auto until = std::chrono::steady_clock::now() + bound;
    std::unique_lock lock(mutex_);
    std::size_t next = 0;
    while (true) {
        for (; next < messages_.size(); ++next) {
            if (is_it(messages_[next])) return true;
        }
        if (changed_.wait_until(lock, until) == std::cv_status::timeout && next >= messages_.size())
            return false;
    }
}

namespace {

ErrorInfo parse_error(GstMessage* message) {
    GError* error = nullptr;
    gchar* debug = nullptr;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, &debug);
    } else {
        gst_message_parse_warning(message, &error, &debug);
    }
    ErrorInfo info{error->message, debug != nullptr ? debug : "", g_quark_to_string(error->domain),
                   GST_MESSAGE_SRC_NAME(message), error->code};
    g_error_free(error);
    g_free(debug);
    return info;
}

}  // namespace

std::optional<ErrorInfo> Pipeline::wait_error(Milliseconds bound) {
    std::optional<ErrorInfo> info;
    wait_message(bound, [&](GstMessage* message) {
        if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR) return false;
        info = parse_error(message);
        return true;
    });
    return info;
}

bool Pipeline::wait_eos(Milliseconds bound) {
    return wait_message(bound,
                        [](GstMessage* message) { return GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS; });
}

std::optional<Stats> Pipeline::wait_element(const std::string& structure, Milliseconds bound,
                                            std::size_t nth) {
    std::optional<Stats> found;
    wait_message(bound, [&](GstMessage* message) {
        if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ELEMENT) return false;
        const GstStructure* content = gst_message_get_structure(message);
        if (content == nullptr || !gst_structure_has_name(content, structure.c_str()) || --nth > 0)
            return false;
        found.emplace(gst_structure_copy(content));
        return true;
    });
    return found;
}

bool Pipeline::wait_hawser_state(const std::string& state, Milliseconds bound, const std::string& from) {
    return wait_message(bound, [&](GstMessage* message) {
        if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ELEMENT) return false;
        const GstStructure* content = gst_message_get_structure(message);
        if (content == nullptr || !gst_structure_has_name(content, "hawser-state")) return false;
        const char* value = gst_structure_get_string(content, "state");
        return value != nullptr && state == value && (from.empty() || from == GST_MESSAGE_SRC_NAME(message));
    });
}

std::vector<ErrorInfo> Pipeline::errors() const {
    std::lock_guard lock(mutex_);
    std::vector<ErrorInfo> found;
    for (auto* message : messages_) {
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) found.push_back(parse_error(message));
    }
    return found;
}

std::vector<ErrorInfo> Pipeline::warnings() const {
    std::lock_guard lock(mutex_);
    std::vector<ErrorInfo> found;
    for (auto* message : messages_) {
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) found.push_back(parse_error(message));
    }
    return found;
}

std::vector<Stats> Pipeline::element_messages(const std::string& structure) const {
    std::lock_guard lock(mutex_);
    std::vector<Stats> found;
    for (auto* message : messages_) {
        if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ELEMENT) continue;
        const GstStructure* content = gst_message_get_structure(message);
        if (content != nullptr && gst_structure_has_name(content, structure.c_str())) {
            found.emplace_back(gst_structure_copy(content));
        }
    }
    return found;
}

bool Pipeline::has_eos() const {
    std::lock_guard lock(mutex_);
    return std::any_of(messages_.begin(), messages_.end(),
                       [](GstMessage* m) { return GST_MESSAGE_TYPE(m) == GST_MESSAGE_EOS; });
}

std::string Pipeline::log() const {
    std::lock_guard lock(mutex_);
    std::string text = "messages:\n";
    for (auto* message : messages_) {
        const auto type = GST_MESSAGE_TYPE(message);
        if (type == GST_MESSAGE_ERROR || type == GST_MESSAGE_WARNING) {
            const auto info = parse_error(message);
            text += std::string("  ") + GST_MESSAGE_TYPE_NAME(message) + " of " + info.source + ": " +
                    info.text + " (" + info.debug + ")\n";
        } else if (type == GST_MESSAGE_ELEMENT || type == GST_MESSAGE_EOS) {
            const GstStructure* structure = gst_message_get_structure(message);
            gchar* raw = structure != nullptr ? gst_structure_to_string(structure) : nullptr;
            text += std::string("  ") + GST_MESSAGE_TYPE_NAME(message) + " of " +
                    GST_MESSAGE_SRC_NAME(message) + ": " + (raw != nullptr ? raw : "") + "\n";
            g_free(raw);
        }
    }
    return text;
}

}  // namespace hawser::test
