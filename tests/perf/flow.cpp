#include "tests/perf/flow.h"

#include <cstdio>

namespace hawser::perf {

void Flow::fail(const std::string& why) {
    if (!failed.exchange(true) && !finish) std::fprintf(stderr, "%s\n", why.c_str());
}

bool Load::next(Flow& flow, std::uint64_t index, std::int64_t begun) const {
    if (rate > 0) sleep_until(begun + static_cast<std::int64_t>(static_cast<double>(index) * 1e9 / rate));
    // Looking at the other end's counter at each object would cost both more than small objects do.
    if (ahead > 0 && (size >= 4096 || index % 16 == 0)) {
        while (index * size > flow.received_bytes.load(std::memory_order_acquire) + ahead && !flow.stop &&
               !flow.failed)
            sleep_for(20e-6);
    }
    return !(flow.stop.load(std::memory_order_relaxed) || flow.failed.load(std::memory_order_relaxed) ||
             (count > 0 && index >= count));
}

namespace {

struct Moment {
    std::int64_t when;
    std::uint64_t objects, bytes;
    double cpu;
};

}  // namespace

Measured run_link(Shared<Flow>& shared, const Ends& ends, const Load& load, double warm_up, double seconds) {
    Flow& flow = *shared;
    Measured result;
    const auto fail = [&](const std::string& why) {
        flow.finish = true;
        result.failure = why;
        return result;
    };
    const auto& listening = ends.receiver_listens ? ends.receive : ends.send;
    const auto& calling = ends.receiver_listens ? ends.send : ends.receive;
    Role listener([&] { return listening(flow); });
    if (!wait_until(20, [&] { return flow.ready || flow.failed || !listener.running(); }) || !flow.ready)
        return fail("the listening end does not start");
    Role caller([&] { return calling(flow); });
    if (!wait_until(20, [&] { return flow.received_bytes > 0 || flow.failed || !caller.running(); }) ||
        flow.received_bytes == 0)
        return fail("nothing arrives");
    const auto look = [&] {
        return Moment{now_ns(), flow.received, flow.received_bytes,
                      listener.cpu_seconds() + caller.cpu_seconds()};
    };
    sleep_for(warm_up);
    const Moment first = look();
    if (load.count > 0) {
        if (!wait_until(
                load.rate > 0 ? 10 + 3 * static_cast<double>(load.count) / load.rate : 60,
                [&] { return flow.stopped || flow.failed; }, load.rate > 0 ? kSeldom : kSoon))
            return fail("the sender does not come to its end");
    } else {
        sleep_for(seconds);
    }
    const Moment last = look();
    flow.stop = true;
    if (!wait_until(20, [&] { return flow.stopped || flow.failed; })) return fail("the sender does not stop");
    const std::uint64_t bytes = flow.sent * load.size;
    wait_until(20, [&] { return flow.received_bytes >= bytes || flow.failed; });
    if (flow.failed) return fail("an end failed");
    flow.finish = true;
    if (flow.received_bytes != bytes)
        return fail(std::to_string(flow.received_bytes) + " of " + std::to_string(bytes) + " bytes arrived");
    if (ends.objects && flow.received != flow.sent)
        return fail(std::to_string(flow.received) + " of " + std::to_string(flow.sent) + " objects arrived");
    if (flow.wrong > 0) return fail(std::to_string(flow.wrong) + " objects arrived wrong");
    if (!listener.wait(20) || !caller.wait(20)) return fail("an end does not stop");
    result.seconds = static_cast<double>(last.when - first.when) / 1e9;
    result.bytes = static_cast<double>(last.bytes - first.bytes);
    result.objects = ends.objects ? static_cast<double>(last.objects - first.objects)
                                  : result.bytes / static_cast<double>(load.size);
    result.cpu_seconds = last.cpu - first.cpu;
    return result;
}

}  // namespace hawser::perf
