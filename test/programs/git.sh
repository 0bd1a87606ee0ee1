#!/usr/bin/env bash
# git: thousands of commits imported, then commits, merges and a rebase by hand, gc with packing threads, fsck and
# clones; every object, the whole log with its patches and what git says must be the same.
source "$(dirname "$0")/lib.sh"
need git git
export GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat GIT_EDITOR=true
export GIT_AUTHOR_NAME=Tide GIT_AUTHOR_EMAIL=tide@localhost GIT_COMMITTER_NAME=Tide GIT_COMMITTER_EMAIL=tide@localhost
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'

git() {
    run git "$@"
}

# history: a stream for fast-import: 5000 commits on two branches with merges, over 200 files that grow and shrink.
history() {
    awk 'BEGIN {
        for (c = 1; c <= 5000; c++) {
            branch = c % 5 == 0 ? "side" : "main"
            print "commit refs/heads/" branch "\nmark :" c
            print "committer Tide <tide@localhost> " 1600000000 + c * 60 " +0000\ndata <<END\ncommit " c "\nEND"
            if (c > 5 && c % 50 == 0) print "from :" c - 5 "\nmerge :" c - 1
            for (f = 0; f < 3; f++) {
                n = (c * 7 + f * 61) % 200
                print "M 100644 inline dir" n % 10 "/file" n ".txt\ndata <<END"
                for (line = 1; line <= 20 + c % 90; line++)
                    print "line " line " of file " n (line % (c % 9 + 2) == 0 ? " changed by commit " c : "")
                print "END"
            }
        }
        print "done"
    }'
}

work_by_hand() {
    local i
    git checkout -q -b topic main~20
    for i in {1..12}; do
        awk -v i="$i" 'BEGIN { for (n = 0; n < 4000; n++) print i, n * i % 1013, n % 7 }' >"topic$((i % 4)).csv"
        git add -A
        git commit -q -m "topic $i"
    done
    git rebase -q main
    git checkout -q main
    git merge -q --no-ff -m "merge topic" topic
    git tag -a -m "a tag" v1
    git cherry-pick side~3 >../result/cherry-pick 2>&1 || git cherry-pick --abort
}

scenario() {
    git init -q -b main repo
    cd repo
    git config gc.auto 0
    git config pack.threads 2
    history | git fast-import --quiet --done
    git checkout -q main
    work_by_hand
    git log --all --topo-order --stat >../result/log
    git log --all --topo-order -p | sha256sum >../result/patches
    git blame dir3/file133.txt >../result/blame
    git grep -c --threads=2 'changed by commit 4' >../result/grep
    git gc -q --prune=now
    git repack -q -a -d -f --depth=20 --window=5
    git fsck --full --strict >../result/fsck 2>&1
    git cat-file --batch-all-objects --batch-check >../result/objects
    cd ..
    git clone -q --no-local repo clone
    git -C clone fsck --full >result/fsck-clone 2>&1
    git -C clone rev-list --objects --all >result/reachable
    git -C repo archive --format=tar.gz v1 | gzip -dc | sha256sum >result/archive
    git -C repo bundle create -q ../all.bundle --all
    git clone -q all.bundle from-bundle
    git -C from-bundle rev-parse HEAD >result/head
    check_traces git
}

compare_with_glibc scenario
