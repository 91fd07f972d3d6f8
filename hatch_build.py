"""Build hook: none yet."""
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
class CustomBuildHook(BuildHookInterface):
    PLUGIN_NAME = "custom"
