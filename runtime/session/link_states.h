// The states of one end of a link, as one table. docs/state/link.dot is drawn from it.
#pragma once

#include "runtime/session/config.h"
#include "runtime/state/table.h"

namespace hawser::session {

enum class LinkEvent : std::uint8_t {
    Listen,     // start() of a listener
    Call,       // start() of a caller
    Resolved,   // the peer's name is known
    Connected,  // TCP is up
    Ready,      // a peer has subscribed, or was subscribed to
    Lost,       // caller: the attempt failed, or the connection broke
    Vacated,    // listener: the last peer has gone
    Retry,      // the back-off is over
    GiveUp,     // what went wrong cannot heal
    Finished,   // EOS everywhere, acknowledged
    Stop,       // stop()
    Count_,
};
const char* to_string(LinkEvent event);

}  // namespace hawser::session

template <>
inline constexpr std::size_t hawser::state::kEnumSize<hawser::session::State> = 9;

namespace hawser::session {

inline constexpr auto kLinkTable =
    state::make_table<State, LinkEvent>(State::Idle,
                                        {
                                            {State::Idle, LinkEvent::Listen, State::Listening},
                                            {State::Idle, LinkEvent::Call, State::Resolving},
                                            {State::Resolving, LinkEvent::Resolved, State::Connecting},
                                            {State::Resolving, LinkEvent::Lost, State::Backoff},
                                            {State::Resolving, LinkEvent::GiveUp, State::Failed},
                                            {State::Resolving, LinkEvent::Stop, State::Idle},
                                            {State::Connecting, LinkEvent::Connected, State::Handshake},
                                            {State::Connecting, LinkEvent::Lost, State::Backoff},
                                            {State::Connecting, LinkEvent::GiveUp, State::Failed},
                                            {State::Connecting, LinkEvent::Stop, State::Idle},
                                            {State::Handshake, LinkEvent::Ready, State::Streaming},
                                            {State::Handshake, LinkEvent::Lost, State::Backoff},
                                            {State::Handshake, LinkEvent::GiveUp, State::Failed},
                                            {State::Handshake, LinkEvent::Finished, State::Ended},
                                            {State::Handshake, LinkEvent::Stop, State::Idle},
                                            {State::Listening, LinkEvent::Ready, State::Streaming},
                                            {State::Listening, LinkEvent::GiveUp, State::Failed},
                                            {State::Listening, LinkEvent::Finished, State::Ended},
                                            {State::Listening, LinkEvent::Stop, State::Idle},
                                            {State::Streaming, LinkEvent::Lost, State::Backoff},
                                            {State::Streaming, LinkEvent::Vacated, State::Listening},
                                            {State::Streaming, LinkEvent::GiveUp, State::Failed},
                                            {State::Streaming, LinkEvent::Finished, State::Ended},
                                            {State::Streaming, LinkEvent::Stop, State::Idle},
                                            {State::Backoff, LinkEvent::Retry, State::Resolving},
                                            {State::Backoff, LinkEvent::GiveUp, State::Failed},
                                            {State::Backoff, LinkEvent::Finished, State::Ended},
                                            {State::Backoff, LinkEvent::Stop, State::Idle},
                                            {State::Failed, LinkEvent::Stop, State::Idle},
                                            {State::Ended, LinkEvent::Stop, State::Idle},
                                        },
                                        {
                                            {LinkEvent::Stop, State::Idle},
                                            // One of several peers of a listener comes or goes.
                                            {LinkEvent::Ready, State::Streaming},
                                            {LinkEvent::Vacated, State::Listening},
                                            // After the end of it all, sockets may still tell of their own.
                                            {LinkEvent::Lost, State::Ended},
                                            {LinkEvent::Lost, State::Failed},
                                            {LinkEvent::Vacated, State::Ended},
                                            {LinkEvent::Vacated, State::Failed},
                                            {LinkEvent::Finished, State::Ended},
                                            {LinkEvent::Ready, State::Ended},
                                            {LinkEvent::Finished, State::Failed},
                                        });
static_assert(kLinkTable.deterministic() && kLinkTable.reachable() && kLinkTable.names_all());
static_assert(kLinkTable.leaves_all_but({}));

}  // namespace hawser::session
