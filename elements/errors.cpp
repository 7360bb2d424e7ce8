#include "elements/errors.h"

#include <string>

namespace hawser::elements {
namespace {

// The core's messages go on after a prefix in its log; here they are sentences.
std::string sentence(std::string text) {
    if (text.empty()) return text;
    text.front() = g_ascii_toupper(text.front());
    if (!g_ascii_ispunct(text.back()) || text.back() == '"' || text.back() == ')') text += '.';
    return text;
}

void post(GstElement* element, GstMessageType type, const Error& error, Direction direction) {
    const std::string text = sentence(error.message);
    const std::string debug = std::string("cause: ") + to_string(error.code);
    gst_element_message_full(element, type, GST_RESOURCE_ERROR, resource_code(error.code, direction),
                             g_strdup(text.c_str()), g_strdup(debug.c_str()), __FILE__, GST_FUNCTION,
                             __LINE__);
}

}  // namespace

gint resource_code(Errc code, Direction direction) {
    const gint open =
        direction == Direction::Sends ? GST_RESOURCE_ERROR_OPEN_WRITE : GST_RESOURCE_ERROR_OPEN_READ;
    switch (code) {
        case Errc::Invalid:
            return GST_RESOURCE_ERROR_SETTINGS;
        case Errc::NotFound:
            return GST_RESOURCE_ERROR_NOT_FOUND;
        case Errc::AddressInUse:
        case Errc::Busy:
            return GST_RESOURCE_ERROR_BUSY;
        case Errc::Denied:
            return GST_RESOURCE_ERROR_NOT_AUTHORIZED;
        case Errc::Refused:
        case Errc::Unreachable:
        case Errc::TimedOut:
        case Errc::Closed:
        case Errc::Protocol:
        case Errc::Version:
            return open;
        case Errc::NoResource:
        case Errc::Cancelled:
        case Errc::Internal:
            return GST_RESOURCE_ERROR_FAILED;
    }
    return GST_RESOURCE_ERROR_FAILED;
}

void post_error(GstElement* element, const Error& error, Direction direction) {
    post(element, GST_MESSAGE_ERROR, error, direction);
}

void post_warning(GstElement* element, const Error& error, Direction direction) {
    post(element, GST_MESSAGE_WARNING, error, direction);
}

}  // namespace hawser::elements
