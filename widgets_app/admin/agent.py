"""Agents: entries of agents.json. They run elsewhere; what is written here tells Workspace where."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from widgets_app import vocabulary
from widgets_app.admin.filters import StateFilter
from widgets_app.admin.inputs import YesNoInput
from widgets_app.admin.manifest_entry import ManifestEntryAdmin
from widgets_app.admin.options import with_fields
from widgets_app.admin.pictures import PictureUploads, Upload
from widgets_app.admin.site import site
from widgets_app.manifest import contract
from widgets_app.manifest.contract.agents import AGENT_ID
from widgets_app.manifest.contract.endpoints import is_web_address
from widgets_app.models import Agent
from widgets_app.services import states

# Form field -> the feature that it switches.
SWITCHES = {f"feature_{word.replace('-', '_')}": word for word, _ in vocabulary.AGENT_FEATURES}
OWN_FEATURES = (
    "Switches, texts and choices of the agent's own that people are offered: "
    '{"deep": {"label": "Think longer", "default": false, "description": "Takes a minute"}}.'
)
# Where a finding is -> field.
CHECKED_FIELDS = {"endpoints.query": "query_url", "features": "features"}


class BaseAgentForm(PictureUploads):
    """The form of an agent, but for the switches of its features."""

    image_file = Upload()
    picture_fields = ("image",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "features" in self.fields:
            self.fields["features"].label, self.fields["features"].help_text = "Other features", OWN_FEATURES
        if self.instance.pk:
            self.initial.update(_shown(self.instance.features))

    def clean_agent_id(self) -> str:
        """Ask for a plain id, unless it was imported."""
        agent_id: str = self.cleaned_data["agent_id"]
        if self.touched("agent_id") and not AGENT_ID.fullmatch(agent_id):
            raise forms.ValidationError("Use small letters, digits and - only, for example market-analyst.")
        return agent_id

    def clean(self) -> dict[str, Any]:
        """Put the features together, and complain at the fields about what would not work."""
        super().clean()
        data = self.cleaned_data
        self._check()
        if self.touched("query_url", "upstream") and data.get("upstream") and is_web_address(data.get("query_url")):
            self.add_error("upstream", "The query endpoint is a whole address. Write a path, or choose no upstream.")
        touched = self.touched("features", *SWITCHES)
        data["features"] = self._features(data.get("features")) if touched else self.instance.features
        return data

    def _check(self) -> None:
        data = self.cleaned_data
        entry = {"endpoints": {"query": data.get("query_url")}, "features": data.get("features")}
        found = contract.check_agent(data.get("agent_id", ""), entry)
        for where, name in CHECKED_FIELDS.items():
            if data.get(name):
                self.refuse(name, [finding for finding in found if finding.where.startswith(where)])

    def _features(self, own: Any) -> Any:
        """Return the features in the order in which they came, new ones last."""
        switched = {
            word: value for name, word in SWITCHES.items() if (value := self.cleaned_data.get(name)) is not None
        }
        if not isinstance(own, dict | None) or not (switched or own):
            return own
        wanted = {**(own or {}), **switched}
        before = self.instance.features if isinstance(self.instance.features, dict) else {}
        return {word: wanted[word] for word in (*before, *wanted) if word in wanted}


def _switch(word: str, label: str) -> forms.Field:
    return forms.NullBooleanField(label=label, help_text=word, required=False, widget=YesNoInput())


AgentForm = with_fields(
    BaseAgentForm,
    {name: _switch(word, label) for name, (word, label) in zip(SWITCHES, vocabulary.AGENT_FEATURES, strict=True)},
)


@admin.register(Agent, site=site)
class AgentAdmin(ManifestEntryAdmin):
    """The pages of agents."""

    form = AgentForm
    autocomplete_fields = ("groups", "upstream")
    list_before_template = "admin/widgets_app/agents_intro.html"
    list_display = ("agent_id", "name", "query_url", "upstream", "state", "visible_to")
    list_filter = (StateFilter, "groups")
    search_fields = ("agent_id", "name", "description", "query_url")
    lines: ClassVar[Any] = {"description": 4}
    fieldsets = (
        (
            "Basics",
            {
                "classes": ["tab"],
                "fields": ["agent_id", "name", "description", "query_url", "upstream", "image", "image_file"],
            },
        ),
        ("Features", {"classes": ["tab"], "fields": [*SWITCHES, "features"]}),
        ("Who sees it", {"classes": ["tab"], "fields": ["groups"]}),
        ("Advanced", {"classes": ["tab"], "fields": ["extra"]}),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with what most agents do."""
        return {"feature_streaming": True, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        """Warn about apps that go on selecting an id which is no more."""
        super().save_model(request, obj, form, change)
        if change and "agent_id" in form.changed_data:
            _warn_of_apps(request, form.initial["agent_id"], "no longer exists")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Warn about apps that select what is about to be deleted."""
        if "post" not in request.POST:
            for agent in objs:
                _warn_of_apps(request, agent.agent_id, "will be gone")
        return super().get_deleted_objects(objs, request)


def _shown(features: Any) -> dict[str, Any]:
    """Return what the inputs hold for stored features: a switch for each known one, JSON for the rest."""
    if not isinstance(features, dict):
        return {"features": features}
    switched = {name: features[word] for name, word in SWITCHES.items() if isinstance(features.get(word), bool)}
    rest = {word: value for word, value in features.items() if word not in {SWITCHES[name] for name in switched}}
    return {**switched, "features": None if switched and not rest else rest}


def _warn_of_apps(request: HttpRequest, agent_id: str, what: str) -> None:
    if apps := states.selected_by(agent_id):
        names = ", ".join(f"“{app}”" for app in apps)
        messages.warning(request, f"Apps select the agent “{agent_id}”, which {what}: {names}. Change them too.")
