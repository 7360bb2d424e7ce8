// Fallible functions return a Result: a value, or an Error that says what, where and what to do.
#pragma once

#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>
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

namespace detail {

[[noreturn]] inline void misused_result(const char* how, const Error* error) {
    std::fprintf(stderr, "hawser: bug: %s%s%s\n", how, error ? ": " : "",
                 error ? error->message.c_str() : "");
    std::abort();
}

}  // namespace detail

// A value or an Error. Check it before use; value() of an error is a bug and aborts.
template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    // From what converts to T, such as the unique_ptr of a derived class.
    template <typename U>
    requires(std::convertible_to<U&&, T> && !std::same_as<std::remove_cvref_t<U>, T> &&
             !std::same_as<std::remove_cvref_t<U>, Error> && !std::same_as<std::remove_cvref_t<U>, Result>)
        Result(U&& value)
        : state_(std::in_place_index<0>, std::forward<U>(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    T& value() & {
        if (T* value = std::get_if<0>(&state_)) return *value;
        detail::misused_result("value() of an error", std::get_if<1>(&state_));
    }
    const T& value() const& { return const_cast<Result&>(*this).value(); }
    T&& value() && { return std::move(value()); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(value()); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    const Error& error() const {
        if (const Error* error = std::get_if<1>(&state_)) return *error;
        detail::misused_result("error() of a value", nullptr);
    }

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
