#include "tests/perf/peers.h"

#include "tests/perf/gst_ends.h"
#include "tests/perf/raw_ends.h"
#include "tests/support/port.h"

namespace hawser::perf {
namespace {

Ends gst_link(const std::string& sender, const std::string& receiver, const Load& load, bool objects,
              bool receiver_listens) {
    return {[=](Flow& flow) { return gst_send(sender, load, flow); },
            [=](Flow& flow) { return gst_receive(receiver, load, objects, flow); }, receiver_listens,
            objects};
}

std::string at(int port) {
    return " host=127.0.0.1 port=" + std::to_string(port);
}

}  // namespace

Ends hawser_link(const Load& load, const std::string& sink, const std::string& src) {
    const std::string uri = " uri=hawser://127.0.0.1:" + std::to_string(test::free_port()) + "/perf ";
    // One element is both the one that is fed and the sink.
    return gst_link("hawsersink name=sink" + uri + sink, "hawsersrc name=out" + uri + src, load, true, false);
}

Ends gdp_server_link(const Load& load) {
    const int port = test::free_port();
    return gst_link("gdppay name=in ! tcpserversink name=sink sync=false" + at(port),
                    "tcpclientsrc" + at(port) + " ! gdpdepay name=out", load, true, false);
}

Ends gdp_client_link(const Load& load) {
    const int port = test::free_port();
    return gst_link("gdppay name=in ! tcpclientsink name=sink sync=false" + at(port),
                    "tcpserversrc" + at(port) + " ! gdpdepay name=out", load, true, true);
}

Ends bare_server_link(const Load& load) {
    const int port = test::free_port();
    return gst_link("tcpserversink name=sink sync=false" + at(port), "tcpclientsrc name=out" + at(port), load,
                    false, false);
}

Ends raw_link(const Load& load, std::size_t batch, bool no_delay, bool objects) {
    const int port = test::free_port();
    return {[=](Flow& flow) {
                return raw_send(port, load, {batch, no_delay}, flow);
            },
            [=](Flow& flow) { return raw_receive(port, load, objects, flow); }, false, objects};
}

}  // namespace hawser::perf
