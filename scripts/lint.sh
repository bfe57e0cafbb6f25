#!/bin/sh
# Formatting, static checks, size of files, and paths that the documents name.
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

if [ -f "$build/compile_commands.json" ]; then
  echo "== clang-tidy on files changed since the last commit's parent (all with TIDY=all)"
  if [ "${TIDY:-}" = all ]; then files=$(git ls-files 'src/*.cc'); else
    files=$(git diff --name-only --diff-filter=d HEAD~1 -- 'src/*.cc' 2>/dev/null | head -8 || true); fi
  [ -z "$files" ] || clang-tidy -quiet -p "$build" $files 2>/dev/null || failed=1
fi
[ "$failed" = 0 ] && echo "lint: clean"
exit "$failed"
