// Helper threads for work that cannot be interrupted, such as getaddrinfo().
#pragma once

#include <functional>
#include <thread>

namespace hawser::io {

// Runs `task` on a thread of its own, for which nobody waits but the process's end, and that only for half a
// second: a task that takes longer must touch nothing with static lifetime when it is done. False where no
// thread can be had. Thread-safe. `name` shows in debuggers; 15 characters at most.
bool run_in_background(const char* name, std::function<void()> task);

// A thread that takes no signals (they belong to the application's threads) and has a name. Not joinable: no
// thread to be had.
std::thread start_thread(const char* name, std::function<void()> body);

}  // namespace hawser::io
