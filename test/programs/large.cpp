// What the compiler tests compile: much of the standard library, instantiated many times over, so that the
// compiler builds and drops large trees; and a program whose output shows that the code is right.

#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace {

template <int N>
struct Tag {
    static constexpr int value = N;
    auto operator<=>(const Tag&) const = default;
};

template <int N>
class Node : public Node<N - 1> {
public:
    std::string describe() const override { return std::to_string(N) + "<" + Node<N - 1>::describe(); }

private:
    std::array<int, N % 16 + 1> numbers_{};
};

template <>
class Node<0> {
public:
    virtual ~Node() = default;
    virtual std::string describe() const { return "0"; }
};

template <int N>
long containers() {
    std::map<std::pair<int, Tag<N>>, std::vector<std::string>> map;
    std::unordered_map<std::string, std::tuple<int, Tag<N>, double>> table;
    for (int i = 0; i < 40 + N; ++i) {
        map[{i % 7, {}}].push_back(std::to_string(i * N));
        table[std::to_string(i % 11)] = {i, {}, i / 2.0};
    }
    std::variant<int, std::string, Tag<N>, std::vector<Tag<N>>> choice = std::vector<Tag<N>>(N + 1);
    long sum = std::visit(
        []<typename T>(const T& value) -> long {
            if constexpr (requires { value.size(); }) {
                return static_cast<long>(value.size());
            } else {
                return static_cast<long>(sizeof value);
            }
        },
        choice);
    for (const auto& [key, list] : map) {
        sum += key.first * static_cast<long>(list.size());
    }
    std::function<long(long)> add = [sum](long i) { return sum + i; };
    for (int i = 0; i < 100; ++i) {
        sum = add(i * N) % 1000003;
    }
    return sum + static_cast<long>(table.size());
}

template <int... N>
std::array<long, sizeof...(N)> all_containers(std::integer_sequence<int, N...>) {
    return {containers<N>()...};
}

template <int N>
constexpr int fibonacci = (fibonacci<N - 1> + fibonacci<N - 2>) % 10007;
template <>
constexpr int fibonacci<0> = 0;
template <>
constexpr int fibonacci<1> = 1;

std::string expressions() {
    const std::regex word("([a-z]+)([0-9]*)");
    const std::string text = "tide12 ebb flow7 low99";
    std::ostringstream out;
    for (std::sregex_iterator i(text.begin(), text.end(), word), end; i != end; ++i) {
        out << (*i)[1] << ':' << (*i)[2] << ';';
    }
    return out.str();
}

} // namespace

#ifdef LARGE_WITH_ERRORS
int wrong = std::vector<std::map<Tag<1>, std::string>>{1, "two", 3.0}.sort(std::less<Tag<2>>{});
std::unique_ptr<Node<5>> wrong_too = std::make_unique<Node<4>>(std::string(), missing_name);
#endif

int main() {
    const auto sums = all_containers(std::make_integer_sequence<int, 6>());
    std::cout << std::accumulate(sums.begin(), sums.end(), 0L) << '\n';
    std::cout << Node<150>().describe().size() << ' ' << fibonacci<400> << ' ' << expressions() << '\n';
    std::mt19937 random(7);
    std::vector<std::shared_ptr<std::string>> shared;
    for (int i = 0; i < 200000; ++i) {
        shared.push_back(std::make_shared<std::string>(random() % 90, 'x'));
        if (shared.size() > 3000) {
            shared.erase(shared.begin() + random() % 100);
        }
    }
    std::sort(shared.begin(), shared.end(),
              [](const auto& a, const auto& b) { return a->size() < b->size(); });
    std::cout << shared.front()->size() << ' ' << shared.back()->size() << '\n';
}
