"""Park × chain × supply recipes: long lists with reasons and introducers.

``load_recipes`` and ``load_introducer_links`` read the definitions; ``build_long_list`` runs them over
``LongListTables``.
"""

from qiaomen.prospects.long_list import LongList, build_long_list
from qiaomen.prospects.recipes import IntroducerLink, Recipe, load_introducer_links, load_recipes
from qiaomen.prospects.sources import LongListTables
from qiaomen.prospects.tables import LONG_LIST

__all__ = [
    "LONG_LIST",
    "IntroducerLink",
    "LongList",
    "LongListTables",
    "Recipe",
    "build_long_list",
    "load_introducer_links",
    "load_recipes",
]
