"""The page that Streamlit serves: choose a workload, then a view."""

import streamlit as st

from dashboard import views
from dashboard.athena import Unanswered
from dashboard.workloads import Workload, workloads

st.set_page_config(page_title="Forecasts", page_icon="📈", layout="wide", initial_sidebar_state="expanded")


def _chosen() -> Workload | None:
    """The workload of the side bar, which the page's address remembers."""
    found = workloads()
    if not found:
        return None
    known = {one.slug: one for one in found}
    asked = st.query_params.get("workload", "")
    place = list(known).index(asked) if asked in known else 0
    slug = st.sidebar.selectbox("Workload", list(known), index=place)
    st.query_params["workload"] = slug
    return known[slug]


def main() -> None:
    """Draw the page."""
    pages = [
        st.Page(views.forecast, title="Forecast", icon=":material/trending_up:", default=True),
        st.Page(views.looking_back, title="Looking back", icon=":material/history:"),
        st.Page(views.accuracy, title="Accuracy", icon=":material/target:"),
        st.Page(views.runs, title="Runs", icon=":material/list:"),
    ]
    page = st.navigation(pages)
    try:
        workload = _chosen()
        if workload is None:
            st.title("Forecasts")
            st.info(
                "There is no workload yet. Upload a CSV file (`make demo` does it for you); "
                "this page shows the forecast as soon as it is published."
            )
            return
        st.session_state["shown"] = workload
        page.run()
    except Unanswered as error:
        st.error(str(error))


main()
