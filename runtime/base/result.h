// Fallible functions return a Result: a value, or an Error that says what, where and what to do.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace hawser {

// What kind of failure, for code; `Error::message` is for people.
enum class Errc {
    Invalid,       // malformed input: an address, a frame, a property
    NotFound,      // host, stream, file unknown
    AddressInUse,  // the port is taken
    Refused,       // nobody listens there
    Unreachable,   // no route, network down
    TimedOut,
    Closed,      // the peer closed, or the connection broke
    Protocol,    // the peer speaks something else, or breaks the rules
    Version,     // no common protocol version
    Denied,      // not allowed
    Busy,        // a limit is reached
    NoResource,  // memory, file descriptors
    Cancelled,   // stopped by ourselves
    Internal,    // a bug or an unexpected failure of the system
};

// Short stable name ("address-in-use").
const char* to_string(Errc code);

struct Error {
    Errc code = Errc::Internal;
    std::string message;  // a whole sentence without the final stop: what happened, to what, what to do
};

// A value or an Error. Check it before use; value() of an error is a bug and aborts.
template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    T& value() & { return std::get<0>(state_); }
    const T& value() const& { return std::get<0>(state_); }
    T&& value() && { return std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    T* operator->() { return &value(); }
    const Error& error() const { return std::get<1>(state_); }

  private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : failed_(true), error_(std::move(error)) {}

    bool ok() const { return !failed_; }
    explicit operator bool() const { return ok(); }
    const Error& error() const { return error_; }

  private:
    bool failed_ = false;
    Error error_;
};

}  // namespace hawser
