#!/bin/sh
# Formatting, size of files, and paths that the documents name. Static checks are `make tidy`: they take longer.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
failed=0

echo "== clang-format"
git ls-files '*.cc' '*.h' | xargs -r clang-format --dry-run --Werror || failed=1

echo "== file sizes (look again above 500 lines, never above 1000)"
for file in $(git ls-files '*.cc' '*.h' '*.py'); do
  lines=$(wc -l <"$file")
  if [ "$lines" -gt 1000 ]; then
    echo "$file has $lines lines; split it"
    failed=1
  fi
done

echo "== paths in the documents exist"
for document in README.md CONTRIBUTING.md docs/*.md; do
  for path in $(grep -oE '`(src|include|docs|scripts|demo|tests|cmake|benchmarks)/[A-Za-z0-9_./-]*`' "$document" | tr -d '`' | sort -u); do
    [ -e "$path" ] || { echo "$document names $path, which does not exist"; failed=1; }
  done
done

[ "$failed" = 0 ] && echo "lint: clean"
exit "$failed"
