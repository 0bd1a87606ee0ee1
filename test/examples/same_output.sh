#!/bin/bash
# A program ends with 0 and prints what is in a file.
#
#   same_output.sh FILE PROGRAM
set -uo pipefail
diff -u "$1" <("$2" || echo "status $?")
