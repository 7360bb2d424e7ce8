// A TCP port for a program that is still to be started.
#pragma once

namespace hawser::test {

// A port of the IPv4 loopback that nobody else is given while this process lives: a socket stays bound to it.
// Nobody listens there, so who connects is refused; who listens has to set SO_REUSEADDR, as servers do.
// Throws std::runtime_error where there is none.
int free_port();

}  // namespace hawser::test
