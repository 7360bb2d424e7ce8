// The links that are compared, by the names they have in the tables.
#pragma once

#include <string>
#include <vector>

#include "tests/perf/flow.h"

namespace hawser::perf {

inline const std::string kHawser = "hawsersink → hawsersrc";
inline const std::string kGdpServer = "gdppay + tcpserversink → tcpclientsrc + gdpdepay";
inline const std::string kShortQueue = ", its queue kept short";
inline const std::string kGdpClient = "gdppay + tcpclientsink → tcpserversrc + gdpdepay";
inline const std::string kBareServer = "tcpserversink → tcpclientsrc (bytes only)";
inline const std::string kRawSend = "raw send() of each object";
inline const std::string kRawBatch = "raw writev() of 64 objects";
inline const std::string kNothing = "GStreamer without a network";

// Makes the ends of a link anew for each run, on a free port. `load` is copied. `sink` and `src` are more
// properties for Hawser's elements.
Ends hawser_link(const Load& load, const std::string& sink = "", const std::string& src = "");
Ends gdp_server_link(const Load& load);
Ends gdp_client_link(const Load& load);
Ends bare_server_link(const Load& load);
Ends raw_link(const Load& load, std::size_t batch, bool no_delay, bool objects);

}  // namespace hawser::perf
