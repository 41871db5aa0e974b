"""theanets' former names, at the edge: the core imports nothing from here.

`words` translates keywords, entries and names for the hook `kerasnets.spellings`. `names` makes
former modules importable and adds former names to the modules of today. `layers` and `own_layers`
are theanets' layer objects, `util` and `experiment` its modules of those names.
"""

from kerasnets.compat import names as names
from kerasnets.compat import words as words
