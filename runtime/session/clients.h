// A shard's clients by session, whom it owns. A hash table that lives in the clients themselves: ten thousand
// of them take a pointer each, not a node.
//
// Thread: the shard's reactor's.
#pragma once

#include <boost/intrusive/unordered_set.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/session/client.h"

namespace hawser::session {

class Clients {
  public:
    Clients() : buckets_(kFewest), set_({buckets_.data(), buckets_.size()}) {}
    ~Clients() { clear(); }
    Clients(const Clients&) = delete;
    Clients& operator=(const Clients&) = delete;

    // Null: nobody has this session.
    Client* find(std::uint64_t session) const {
        const auto at = set_.find(session, Hash(), Same());
        return at == set_.end() ? nullptr : const_cast<Client*>(&*at);
    }
    // There must be no other of its session.
    void add(std::unique_ptr<Client> client) {
        if (set_.size() >= 2 * buckets_.size()) grow();
        set_.insert(*client.release());
    }
    std::unique_ptr<Client> take(Client& client) {
        set_.erase(set_.iterator_to(client));
        return std::unique_ptr<Client>(&client);
    }
    void clear() { set_.clear_and_dispose(std::default_delete<Client>()); }

    // `call` may take the client that it is called for, and no other.
    template <typename Call>
    void for_each(Call&& call) {
        for (auto at = set_.begin(); at != set_.end();) call(*at++);
    }
    std::size_t size() const { return set_.size(); }
    bool empty() const { return set_.empty(); }
    auto begin() { return set_.begin(); }
    auto end() { return set_.end(); }
    auto begin() const { return set_.begin(); }
    auto end() const { return set_.end(); }

  private:
    static constexpr std::size_t kFewest = 8;

    // Peers choose their sessions, at random as a rule.
    struct Hash {
        std::size_t operator()(std::uint64_t session) const { return (session * 0x9e3779b97f4a7c15) >> 32; }
        std::size_t operator()(const Client& client) const { return (*this)(client.session()); }
    };
    struct Same {
        bool operator()(const Client& a, const Client& b) const { return a.session() == b.session(); }
        bool operator()(std::uint64_t a, const Client& b) const { return a == b.session(); }
    };
    using Set = boost::intrusive::unordered_set<Client, boost::intrusive::base_hook<ClientSessionHook>,
                                                boost::intrusive::hash<Hash>, boost::intrusive::equal<Same>,
                                                boost::intrusive::power_2_buckets<true>>;

    void grow() {
        std::vector<Set::bucket_type> more(2 * buckets_.size());
        set_.rehash({more.data(), more.size()});
        buckets_.swap(more);  // their addresses stay
    }

    std::vector<Set::bucket_type> buckets_;
    Set set_;
};

}  // namespace hawser::session
