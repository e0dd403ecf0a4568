"""The pool of parse processes: hostile pages are read where they can do no harm."""
