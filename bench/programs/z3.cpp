// Z3: a file of problems that are solved one after the other. One operation is two of them.
#include "programs/batch.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace {

/// Polynomials, and a group whose axioms are instantiated until the limit: that counts steps, not time.
std::string problems(unsigned pairs) {
    std::string text = "(set-option :rlimit 300000)\n";
    for (unsigned i = 0; i < pairs; ++i)
        text += fmt::format(R"((push)
(declare-const x Real) (declare-const y Real) (declare-const z Real)
(assert (> (* x x y) (+ (* {} z z) {})))
(assert (< (+ (* x x) (* y y) (* z z)) {}))
(assert (= (* x y z) (/ {} 7)))
(assert (> (+ x (* {} y y)) (* z x)))
(check-sat)
(pop)
(push)
(declare-sort S 0)
(declare-fun f (S S) S) (declare-fun inverse (S) S) (declare-const e S)
(declare-const c0 S) (declare-const c1 S) (declare-const c2 S)
(assert (forall ((x S) (y S) (z S)) (= (f (f x y) z) (f x (f y z)))))
(assert (forall ((x S)) (= (f e x) x)))
(assert (forall ((x S)) (= (f (inverse x) x) e)))
(assert (not (= (f c0 (f c1 (f c2 (inverse (f c0 (f c1 c2)))))) (f c{} (inverse c{})))))
(check-sat)
(pop)
)",
                            i % 5 + 2, i + 1, i % 7 + 3, i + 1, i % 3 + 1, i % 3, i % 3);
    return text;
}

} // namespace

void add_z3(benchmark_list& list, const program_settings& settings) {
    const unsigned pairs = settings.share(20);
    list.push_back(batch_benchmark({"z3/problems", "programs", "Z3: polynomials and quantified equations"},
                                   {.program = "z3",
                                    .package = "z3",
                                    .arguments = {"problems.smt2"},
                                    .files = {{"problems.smt2", problems(pairs)}},
                                    .operations = pairs},
                                   settings));
}

} // namespace lowtide::bench
