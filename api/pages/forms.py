"""Forms of pages as the API's models."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from api.problems import Problem
from qc.errors import what_is_wrong

Model = TypeVar("Model", bound=BaseModel)
TITLES = {
    "name": "名称",
    "password": "密码",
    "department": "部门",
    "scopes": "权限",
    "channel_url": "地址",
    "role": "职务",
    "grounds": "申诉理由",
    "answer": "答复",
    "title": "名称",
    "reviewers": "复听人",
}


def checked(model: type[Model], **values: object) -> Model:
    """A form's values as a model.

    Raises:
        Problem: 422 with the first thing that is wrong.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        place, reason = what_is_wrong(error)
        raise Problem(422, f"“{TITLES.get(place, place)}”{reason}。") from error
